#include "auth/crypto/crypto_cpu.h"
#include "auth/crypto/sha256_priv.h"

#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static uint8_t input[5000];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)(i * 7 + i / 251);
}

static void hashes_like_openssl_in_any_portions(void **state)
{
	static const size_t portions[] = {1, 3, 63, 64, 65, 127, 128, 1000, sizeof(input)};
	(void)state;
	fill();
	for (size_t len = 0; len < sizeof(input); len = len * 9 / 8 + 1) {
		uint8_t expected[32], digest[32];
		SHA256(input, len, expected);
		for (size_t p = 0; p < sizeof(portions) / sizeof(portions[0]); p++) {
			struct sha256_state sha;
			sha256_init(&sha);
			for (struct bytes rest = bytes_of(input, len); rest.len;
				rest = bytes_from(rest, portions[p]))
				sha256_update(&sha, bytes_slice(rest, 0, portions[p]));
			sha256_final(&sha, digest);
			assert_memory_equal(digest, expected, 32);
		}
	}
}

static void code_of_openssl_and_chosen_code_agree(void **state)
{
	uint32_t a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, b[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	(void)state;
	fill();
	sha256_blocks_openssl(a, input, 20);
	sha256_blocks(b, input, 20);
	assert_memory_equal(a, b, sizeof(a));
}

static void final_leaves_the_state_as_it_is(void **state)
{
	struct sha256_state sha;
	uint8_t once[32], twice[32];
	(void)state;
	sha256_init(&sha);
	sha256_update(&sha, BYTES("abc"));
	sha256_final(&sha, once);
	sha256_update(&sha, BYTES("def"));
	sha256_final(&sha, twice);
	assert_memory_not_equal(once, twice, 32);
	SHA256((const unsigned char *)"abcdef", 6, once);
	assert_memory_equal(once, twice, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_like_openssl_in_any_portions),
		cmocka_unit_test(code_of_openssl_and_chosen_code_agree),
		cmocka_unit_test(final_leaves_the_state_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
