#include "base/siphash.h"

#include "base/testing.h"

/* Appendix A of the paper: key 00..0f; input 00..0e gives the value it prints. */
static void gives_the_vectors_of_the_paper(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} cases[] = {
		{0, UINT64_C(0x726fdb47dd0e0e31)},
		{1, UINT64_C(0x74f839c593dc67fd)},
		{8, UINT64_C(0x93f5f5799a932462)},
		{15, UINT64_C(0xa129ca6149be45e5)},
		{63, UINT64_C(0x958a324ceb064572)},
	};
	uint8_t octets[64];
	struct siphash_key key;

	(void)state;
	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)i;
	key = siphash_key_of(octets);
	assert_true(key.k0 == UINT64_C(0x0706050403020100));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(siphash(&key, octets, cases[i].len) == cases[i].hash);
}

static void words_hash_like_their_octets(void **state)
{
	struct siphash_key key = {test_seed(4), 99};
	uint64_t words[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		words[i] = test_random(&key.k0);
	for (size_t n = 0; n <= 5; n++)
		assert_true(siphash_words(&key, words, n) == siphash(&key, words, n * 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_vectors_of_the_paper),
		cmocka_unit_test(words_hash_like_their_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
