#include "gateway/cli/pcap.h"

#include "base/testing.h"

static void the_file_is_laid_out_as_others_read_it(void **state)
{
	static const uint8_t little[] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 1, 0, 1, 0, 0, 0,                                            /* header */
		0x00, 0xf1, 0x53, 0x65, 0x40, 0xe2, 1, 0, 3, 0, 0, 0, 60, 0, 0, 0, /* record */
		'a', 'b', 'c', 0xff, 0xff, 0xff, 0xff, 0x3f, 0x42, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	char *octets = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&octets, &size);

	(void)state;
	assert_non_null(out);
	pcap_put_header(out, 65536);
	pcap_put_packet(out, UINT64_C(1700000000123456), 60, BYTES("abc"));
	pcap_put_packet(out, UINT64_C(4294967295999999), 0, BYTES(""));
	assert_int_equal(fclose(out), 0);
	assert_int_equal(size, 2 * PCAP_RECORD_OCTETS + PCAP_HEADER_OCTETS + 3);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	assert_int_equal(size, sizeof(little));
	assert_memory_equal(octets, little, size);
#else
	(void)little;
#endif
	free(octets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_is_laid_out_as_others_read_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
