#include "base/crc32c.h"

#include "base/testing.h"

static void gives_the_vectors_of_rfc_3720(void **state)
{
	uint8_t block[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_portable(0, "123456789", 9), 0xe3069283);
	memset(block, 0, sizeof(block));
	assert_int_equal(crc32c(0, block, 32), 0x8a9136aa);
	memset(block, 0xff, sizeof(block));
	assert_int_equal(crc32c(0, block, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		block[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, block, 32), 0x46dd794e);
	assert_int_equal(crc32c(7, block, 0), 7);
}

static void is_the_same_in_pieces_and_without_the_instruction(void **state)
{
	uint64_t seed = test_seed(5);
	uint8_t data[257];

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)test_random(&seed);
	for (size_t cut = 0; cut <= sizeof(data); cut++) {
		uint32_t pieces = crc32c(crc32c(0, data, cut), data + cut, sizeof(data) - cut);

		assert_int_equal(pieces, crc32c_portable(0, data, sizeof(data)));
		assert_int_equal(crc32c(9, data, cut), crc32c_portable(9, data, cut));
	}
}

static void long_octets_are_the_same_in_stretches(void **state)
{
	static uint8_t data[10000];
	uint64_t seed = test_seed(6);

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)test_random(&seed);
	for (size_t len = 300; len <= sizeof(data); len += 1 + test_random(&seed) % 40) {
		size_t from = test_random(&seed) % (sizeof(data) - len + 1);
		uint32_t start = (uint32_t)test_random(&seed);

		assert_int_equal(
			crc32c(start, data + from, len), crc32c_portable(start, data + from, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_vectors_of_rfc_3720),
		cmocka_unit_test(is_the_same_in_pieces_and_without_the_instruction),
		cmocka_unit_test(long_octets_are_the_same_in_stretches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
