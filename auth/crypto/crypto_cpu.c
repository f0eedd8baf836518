#include "auth/crypto/crypto_cpu.h"

#include <cpuid.h>
#include <stdint.h>

struct crypto_cpu crypto_cpu;

#define XCR0_AVX    0x06u /* SSE and AVX state */
#define XCR0_AVX512 0xe6u /* and opmask, upper halves, upper registers */

static uint32_t read_xcr0(void)
{
	uint32_t low, high;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

__attribute__((constructor(101))) static void crypto_cpu_look(void)
{
	uint32_t a, b, c, d, b7, c7;

	if (!__get_cpuid(1, &a, &b, &c, &d))
		return;
	bool sse41 = c & bit_SSE4_1 && c & bit_SSSE3;
	uint32_t xcr0 = c & bit_OSXSAVE ? read_xcr0() : 0;
	bool ymm = (xcr0 & XCR0_AVX) == XCR0_AVX && c & bit_AVX;
	bool zmm = (xcr0 & XCR0_AVX512) == XCR0_AVX512;
	if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d))
		return;
	const uint32_t wide = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ | bit_BMI2;
	crypto_cpu.sha = sse41 && b7 & bit_SHA;
	crypto_cpu.avx2 = ymm && b7 & bit_AVX2 && b7 & bit_BMI2;
	crypto_cpu.avx512 = ymm && zmm && (b7 & wide) == wide;
	crypto_cpu.avx512_ifma = crypto_cpu.avx512 && b7 & bit_AVX512IFMA && c7 & bit_AVX512VBMI;
	crypto_cpu.avx512_vbmi2 = crypto_cpu.avx512 && c7 & bit_AVX512VBMI2;
}
