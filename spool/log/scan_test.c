#include "spool/log/scan.h"

#include "base/testing.h"
#include "spool/log/segment.h"

#define SALT    5u
#define SEGMENT 32768u

/* A segment of records of one block each; `batches` says in which batch each is. */
struct made {
	uint8_t octets[SEGMENT];
	uint32_t end;
};

static struct made m;

static void make(const char *batches)
{
	uint32_t chain = SALT, octets = 4096 - RECORD_HEADER_SIZE;

	memset(&m, 0, sizeof(m));
	m.end = SEGMENT_HEADER_SIZE;
	for (size_t i = 0; batches[i]; i++) {
		struct record r = {
			.type = RECORD_PAD,
			.flags = batches[i + 1] != batches[i] ? RECORD_SYNCED : 0,
			.batch = (uint32_t)(batches[i] - '0'),
			.sequence = i + 1,
			.previous = chain,
			.payload = bytes_of(m.octets + m.end + RECORD_HEADER_SIZE, octets),
		};

		chain = record_seal(m.octets + m.end, SALT, &r);
		m.end += 4096;
	}
}

static void spoil(unsigned record)
{
	m.octets[SEGMENT_HEADER_SIZE + record * 4096 + 100] ^= 1;
}

/* "1 2 gap 5": the sequences that come out. */
static const char *scan(uint32_t end)
{
	static char out[256];
	enum scan_event e;
	uint32_t offset;
	struct record r;
	struct text t;
	struct scan s;

	text_init(&t, out, sizeof(out));
	scan_init(&s, bytes_of(m.octets, SEGMENT), SALT, 1, 1, end);
	while ((e = scan_next(&s, &r, &offset)) != SCAN_END) {
		if (e == SCAN_GAP)
			text_printf(&t, "gap ");
		else
			text_printf(&t, "%llu ", (unsigned long long)r.sequence);
	}
	text_printf(&t, "end %u", (s.at - SEGMENT_HEADER_SIZE) / 4096);
	return text_str(&t);
}

static void a_whole_segment_is_read_to_its_end(void **state)
{
	(void)state;
	make("11233");
	assert_string_equal(scan(SCAN_END_UNKNOWN), "1 2 3 4 5 end 5");
	assert_string_equal(scan(m.end), "1 2 3 4 5 end 5");
	assert_string_equal(scan(SEGMENT_HEADER_SIZE + 2 * 4096), "1 2 end 2");
	make("");
	assert_string_equal(scan(SCAN_END_UNKNOWN), "end 0");
}

static void a_torn_last_batch_is_cut_at_its_first_bad_record(void **state)
{
	(void)state;
	make("112333");
	spoil(3);
	assert_string_equal(scan(SCAN_END_UNKNOWN), "1 2 3 end 3");
	make("112333");
	spoil(4);
	assert_string_equal(scan(SCAN_END_UNKNOWN), "1 2 3 4 end 4");
}

static void what_was_synced_and_rotted_is_stepped_over(void **state)
{
	(void)state;
	make("11234");
	spoil(1); /* batch 1: batch 2 proves that it was synced */
	assert_string_equal(scan(SCAN_END_UNKNOWN), "1 gap 3 4 5 end 5");
	make("11234");
	spoil(2); /* a whole batch: the one after next proves it */
	assert_string_equal(scan(SCAN_END_UNKNOWN), "1 2 gap 4 5 end 5");
}

static void behind_a_known_end_nothing_counts_and_before_it_all_was_synced(void **state)
{
	(void)state;
	make("11233");
	spoil(4);
	assert_string_equal(scan(m.end), "1 2 3 4 gap end 5");
	make("11233");
	spoil(3);
	assert_string_equal(scan(m.end), "1 2 3 gap 5 end 5");
}

static void records_out_of_their_chain_are_not_taken(void **state)
{
	(void)state;
	make("11");
	/* The second record once more behind itself: true in itself, but not in its place. */
	memcpy(m.octets + m.end, m.octets + m.end - 4096, 4096);
	assert_string_equal(scan(SCAN_END_UNKNOWN), "1 2 end 2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_segment_is_read_to_its_end),
		cmocka_unit_test(a_torn_last_batch_is_cut_at_its_first_bad_record),
		cmocka_unit_test(what_was_synced_and_rotted_is_stepped_over),
		cmocka_unit_test(behind_a_known_end_nothing_counts_and_before_it_all_was_synced),
		cmocka_unit_test(records_out_of_their_chain_are_not_taken),
	};

	return cmocka_run_group_tests_name("spool/log scan", tests, NULL, NULL);
}
