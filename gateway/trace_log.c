#include "gateway/trace_log.h"

#include "auth/trace_format.h"

/* Lines of one worker in a turn. */
#define BURST 64

/* false where there was no more. */
static bool log_next(const struct trace_ring *ring, uint64_t *seen, struct log_out *out)
{
	static _Thread_local char line_room[LOG_OUT_OCTETS];
	char room[TRACE_RING_RECORD + 1], id[QUEUE_ID_TEXT_SIZE];
	struct text record, line;
	uint64_t queue_id;

	text_init(&record, room, sizeof(room));
	if (!trace_ring_next(ring, seen, &queue_id, &record))
		return false;
	text_init(&line, line_room, sizeof(line_room));
	text_put(&line, BYTES("{\"time\":\""));
	log_put_time(&line, clock_unix_us());
	text_printf(&line,
		"\",\"severity\":\"info\",\"qid\":\"%s\",\"event\":\"trace\",\"events\":",
		queue_id_format(queue_id, id));
	trace_format_json(text_bytes(&record), &line);
	text_put(&line, BYTES("}\n"));
	if (!line.overflow)
		log_out_put(out, text_bytes(&line));
	return true;
}

unsigned trace_log_some(struct trace_log *log, struct log_out *out)
{
	unsigned n = 0;

	for (unsigned w = 0; w < log->n_workers; w++)
		for (unsigned i = 0; i < BURST && log->workers[w]->traces &&
				     log_next(log->workers[w]->traces, &log->seen[w], out);
			i++)
			n++;
	return n;
}
