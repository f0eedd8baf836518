/*
 * A bounce out of hostile addresses, replies and header fields: it fits the room that was promised,
 * is 7-bit text in lines that SMTP carries, has just our three parts, and one sender and recipient.
 */
#include "spool/relay/bounce.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECIPIENTS_MAX 4
#define BOUNDARY       "--=_bounce_0000000000100"

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Up to the next 0xff. */
static struct bytes take(struct bytes *rest)
{
	struct bytes piece = BYTES("");

	bytes_split(rest, '\xff', &piece);
	return piece;
}

/* The same as a C string, which a reply and a status are. */
static const char *take_string(struct bytes *rest, char *room, size_t size)
{
	struct bytes piece = take(rest);
	size_t len = piece.len < size - 1 ? piece.len : size - 1;

	if (len)
		memcpy(room, piece.data, len);
	room[len] = '\0';
	return room;
}

static unsigned count_lines(struct bytes mail, const char *start)
{
	unsigned n = 0;
	struct bytes line;

	while (bytes_split(&mail, '\n', &line))
		n += bytes_starts_nocase(line, bytes_str(start));
	return n;
}

static void check_lines(struct bytes mail)
{
	size_t line = 0;

	for (size_t i = 0; i < mail.len; i++) {
		uint8_t c = mail.data[i];

		if (c == '\r') {
			require(++i < mail.len && mail.data[i] == '\n');
			line = 0;
			continue;
		}
		require(c == '\t' || (c >= ' ' && c < 0x7f));
		require(++line <= 998);
	}
	require(line == 0);
}

static void check(struct bytes mail, unsigned recipients)
{
	size_t end = bytes_find_bytes(mail, BYTES("\r\n\r\n"));

	check_lines(mail);
	require(count_lines(mail, BOUNDARY) == 4);
	require(end != BYTES_NPOS);
	require(count_lines(bytes_slice(mail, 0, end + 2), "To:") == 1);
	require(count_lines(bytes_slice(mail, 0, end + 2), "From:") == 1);
	mail = bytes_from(mail,
		bytes_find_bytes(mail, BYTES("\r\nContent-Type: message/delivery-status\r\n")));
	mail = bytes_slice(mail, 0, bytes_find_bytes(mail, BYTES("\r\n" BOUNDARY)));
	require(count_lines(mail, "Final-Recipient:") == recipients);
	require(count_lines(mail, "Status:") == recipients);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char replies[RECIPIENTS_MAX][4096], status[RECIPIENTS_MAX][64];
	struct bounce_recipient list[RECIPIENTS_MAX];
	struct bytes rest = bytes_of(data, size);
	struct bounce bounce = {.hostname = "mx.lab.example",
		.queue_id = 1024,
		.now_unix_s = 1795524994,
		.original_id = 2048,
		.arrival_unix_s = 1795524000,
		.recipients = list};
	struct text out;
	char *room;

	bounce.n_recipients = size ? 1 + data[0] % RECIPIENTS_MAX : 1;
	rest = bytes_from(rest, size ? 1 : 0);
	bounce.full = size && data[0] & 0x80;
	bounce.reverse_path = take(&rest);
	bounce.envid = take(&rest);
	for (unsigned i = 0; i < bounce.n_recipients; i++) {
		list[i].address = take(&rest);
		list[i].orcpt = take(&rest);
		list[i].action = (list[i].address.len + i) % BOUNCE_N_ACTIONS;
		list[i].status = take_string(&rest, status[i], sizeof(status[i]));
		list[i].reply = take_string(&rest, replies[i], sizeof(replies[i]));
		list[i].expired = list[i].status[0] == 'x';
	}
	bounce.content = rest;
	size = bounce_size_max(&bounce);
	room = malloc(size);
	require(room != NULL);
	text_init(&out, room, size);
	bounce_put(&bounce, &out);
	require(!out.overflow);
	check(text_bytes(&out), bounce.n_recipients);
	free(room);
	return 0;
}
