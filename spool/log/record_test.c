#include "spool/log/record.h"

#include <errno.h>

#include "base/testing.h"

#define SALT 77u

static const struct spool_recipient recipients[] = {
	{.address = BYTES("a@example.org")},
	{BYTES("\"b c\"@example.org"), SPOOL_RCPT_QUARANTINE, DSN_DELAY, BYTES("rfc822;b+20c")},
};
static const struct spool_cut cuts[] = {{1, 2}, {4, 9}};
static const struct record_extent extents[] = {{7, 4096, 5, 0x1234}, {8, 8192, 4, 0x5678}};

static struct spool_envelope envelope(void)
{
	return (struct spool_envelope){
		.queue_id = 0x0102030405060708,
		.received_unix_us = 42,
		.flags = SPOOL_MAIL_8BIT,
		.reverse_path = BYTES(""),
		.client = BYTES("c"),
		.n_recipients = 2,
		.recipients = recipients,
		.prepend = BYTES("P: x\r\n"),
		.quarantine_prepend = BYTES(""),
		.trace = BYTES("t"),
		.envid = BYTES("QQ314"),
		.n_cuts = 2,
		.cuts = cuts,
		.content_octets = 12,
	};
}

/* A commit's payload with two extents and "abc". */
static size_t encode(uint8_t out[512])
{
	struct spool_envelope e = envelope();
	size_t head = record_commit_head_size(&e, 2);

	assert_true(head + 3 <= 512);
	record_commit_encode(out, &e, extents, 2, 3);
	memcpy(out + head, "abc", 3);
	return head + 3;
}

static void a_commit_comes_back_as_it_was(void **state)
{
	struct spool_recipient r[2];
	struct record_commit c;
	struct spool_cut k[2];
	uint8_t payload[512];
	size_t len = encode(payload);

	(void)state;
	assert_int_equal(record_commit_decode(bytes_of(payload, len), &c), 0);
	assert_true(c.envelope.queue_id == 0x0102030405060708);
	assert_bytes_equal(c.envelope.reverse_path, "");
	assert_non_null(c.envelope.reverse_path.data);
	assert_bytes_equal(c.envelope.prepend, "P: x\r\n");
	assert_bytes_equal(c.content, "abc");
	record_commit_recipients(&c, r);
	assert_bytes_equal(r[1].address, "\"b c\"@example.org");
	assert_int_equal(r[1].flags, SPOOL_RCPT_QUARANTINE);
	assert_int_equal(r[0].notify, 0);
	assert_int_equal(r[0].orcpt.len, 0);
	assert_int_equal(r[1].notify, DSN_DELAY);
	assert_bytes_equal(r[1].orcpt, "rfc822;b+20c");
	assert_bytes_equal(c.envelope.envid, "QQ314");
	record_commit_cuts(&c, k);
	assert_memory_equal(k, cuts, sizeof(cuts));
	assert_int_equal(record_commit_extent(&c, 1).offset, 8192);
	assert_int_equal(record_commit_extent(&c, 1).crc, 0x5678);
}

static void a_commit_cut_short_or_with_more_behind_it_is_refused(void **state)
{
	struct record_commit c;
	uint8_t payload[513];
	size_t len = encode(payload);

	(void)state;
	for (size_t i = 0; i < len; i++)
		assert_int_equal(record_commit_decode(bytes_of(payload, i), &c), -EBADMSG);
	payload[len] = 0;
	assert_int_equal(record_commit_decode(bytes_of(payload, len + 1), &c), -EBADMSG);
}

static void any_changed_octet_of_a_record_is_seen(void **state)
{
	uint8_t at[600] = {0};
	size_t len = encode(at + RECORD_HEADER_SIZE);
	struct record r = {.type = RECORD_COMMIT,
		.sequence = 9,
		.batch = 3,
		.previous = 4,
		.payload = bytes_of(at + RECORD_HEADER_SIZE, len)};
	struct record back;
	uint32_t size = record_size((uint32_t)len);

	(void)state;
	record_seal(at, SALT, &r);
	assert_int_equal(record_read(bytes_of(at, sizeof(at)), SALT, &back), size);
	assert_int_equal(back.sequence, 9);
	assert_int_equal(back.batch, 3);
	assert_int_equal(back.previous, 4);
	assert_int_equal(back.type, RECORD_COMMIT);
	assert_int_equal(back.payload.len, len);
	for (size_t i = 0; i < RECORD_HEADER_SIZE + len; i++) {
		at[i] ^= 4;
		assert_int_equal(record_read(bytes_of(at, sizeof(at)), SALT, &back), 0);
		at[i] ^= 4;
	}
	assert_int_equal(record_read(bytes_of(at, size - 1), SALT, &back), 0);
}

static void another_salt_makes_it_no_record(void **state)
{
	uint8_t at[64] = {0};
	struct record r = {.type = RECORD_PAD, .payload = bytes_of(at + RECORD_HEADER_SIZE, 8)};

	(void)state;
	record_seal(at, SALT, &r);
	assert_int_equal(record_read(bytes_of(at, sizeof(at)), SALT, &r), 40);
	assert_int_equal(record_read(bytes_of(at, sizeof(at)), SALT + 1, &r), 0);
}

static void notes_come_back_as_they_were(void **state)
{
	uint8_t payload[RECORD_NOTE_SIZE];
	struct record_note note = {
		.type = RECORD_DONE, .queue_id = 5, .recipient = 6, .outcome = SPOOL_EXPIRED};
	struct record r = {.type = RECORD_DONE, .payload = {payload, sizeof(payload)}};
	struct record_note back;

	(void)state;
	record_note_encode(payload, &note);
	assert_int_equal(record_note_decode(&r, &back), 0);
	assert_int_equal(back.queue_id, 5);
	assert_int_equal(back.recipient, 6);
	assert_int_equal(back.outcome, SPOOL_EXPIRED);
	payload[12] = 99; /* no such outcome */
	assert_int_equal(record_note_decode(&r, &back), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_comes_back_as_it_was),
		cmocka_unit_test(a_commit_cut_short_or_with_more_behind_it_is_refused),
		cmocka_unit_test(any_changed_octet_of_a_record_is_seen),
		cmocka_unit_test(another_salt_makes_it_no_record),
		cmocka_unit_test(notes_come_back_as_they_were),
	};

	return cmocka_run_group_tests_name("spool/log record", tests, NULL, NULL);
}
