#pragma once

#include <stdbool.h>

/*
 * What this CPU and its operating system offer (CPUID, and XCR0 for the wide registers). Looked at
 * once, before main().
 */
struct crypto_cpu {
	bool sha;          /* SHA extensions, SSE4.1 */
	bool avx2;         /* AVX2, BMI2 */
	bool avx512;       /* F, BW, VL, DQ */
	bool avx512_ifma;  /* IFMA and VBMI, with the above */
	bool avx512_vbmi2; /* with the above */
};

extern struct crypto_cpu crypto_cpu;
