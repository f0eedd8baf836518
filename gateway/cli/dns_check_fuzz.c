/*
 * A domain whose DNS says anything: `postern dns check` ends within its questions, and what it
 * prints on a terminal is lines of printable text.
 */
#include "auth/pipeline.h"
#include "gateway/cli/dns_check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MAX 4

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct bytes take(struct cursor *in)
{
	struct bytes rest = bytes_of(in->at, cursor_left(in)), piece;

	piece = bytes_slice(rest, 0, bytes_find(rest, '\xff'));
	in->at += piece.len < rest.len ? piece.len + 1 : piece.len;
	return piece;
}

/* A name as the packet parser would give it. */
static struct bytes take_name(struct cursor *in, struct dns_question *room)
{
	if (!dns_question_set(room, DNS_A, DNS_USE_RAW, take(in)))
		return BYTES("");
	return bytes_of(room->name, room->name_len);
}

static void take_record(struct cursor *in, const struct dns_question *question,
	struct dns_record *record, struct dns_question *room)
{
	uint8_t octets[16] = {0};
	struct bytes piece;

	*record = (struct dns_record){.preference = 10};
	switch (question->type) {
	case DNS_A:
	case DNS_AAAA:
		piece = bytes_slice(take(in), 0, 16);
		if (piece.len)
			memcpy(octets, piece.data, piece.len);
		record->addr = question->type == DNS_A ? ip_addr_v4(0xc0000000u | octets[0])
						       : ip_addr_v6(octets);
		break;
	case DNS_TXT: record->text = take(in); break;
	default: record->name = take_name(in, room); break;
	}
}

static const struct dns_answer *ask(void *arg, const struct dns_question *question)
{
	struct cursor *in = arg;
	int choice = cursor_next(in);
	struct dns_record records[RECORDS_MAX];
	struct dns_question rooms[RECORDS_MAX];
	struct dns_answer like = {.outcome = DNS_OK, .records = records};
	const struct dns_answer *answer;

	if (choice < 0 || choice % 8 == 7)
		return dns_answer_failure((enum dns_outcome)(DNS_NODATA + (choice & 0xff) / 8 % 5));
	like.n = (uint16_t)(1 + choice / 8 % RECORDS_MAX);
	for (unsigned i = 0; i < like.n; i++)
		take_record(in, question, &records[i], &rooms[i]);
	answer = dns_answer_new(&like, auth_dns_parsers.of[question->use]);
	require(answer != NULL);
	return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const selectors[] = {"s", "other"};
	struct cursor in = cursor_of(bytes_of(data, size));
	char *said = NULL;
	size_t len = 0;
	struct dns_check check = {.ask = ask, .arg = &in, .out = open_memstream(&said, &len)};

	require(check.out != NULL);
	dns_check_run(&check, BYTES("d.example"), selectors, 2);
	fclose(check.out);
	require(check.asked <= DNS_CHECK_QUESTIONS_MAX);
	for (size_t i = 0; i < len; i++)
		require(said[i] == '\n' || (said[i] >= ' ' && said[i] < 0x7f));
	free(said);
	return 0;
}
