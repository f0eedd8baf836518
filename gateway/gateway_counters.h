#pragma once

#include "base/counters.h"

/* What an io lcore counts of its sessions and mails. */
#define GATEWAY_COUNTERS(X)                                                                        \
	X(GATEWAY_CONNECTIONS, "smtp_connections", "connections accepted")                         \
	X(GATEWAY_SESSIONS_FULL, "smtp_sessions_full", "connections refused: no session free")     \
	X(GATEWAY_CLIENT_FULL, "smtp_client_full", "connections refused: too many of one client")  \
	X(GATEWAY_DENIED, "smtp_denied", "connections cut: their network is kept out by hand")     \
	X(GATEWAY_TIMEOUTS, "smtp_timeouts", "sessions closed for silence")                        \
	X(GATEWAY_SHED, "smtp_shed", "sessions closed for others' sake: the longest idle")         \
	X(GATEWAY_ODD_END, "smtp_odd_end", "sessions closed for silence after an odd end mark")    \
	X(GATEWAY_SLOW, "smtp_slow", "sessions closed for content that came too slowly")           \
	X(GATEWAY_NOT_READING, "smtp_not_reading", "sessions cut: the peer read no replies")       \
	X(GATEWAY_LOST, "smtp_lost", "connections lost before QUIT")                               \
	X(GATEWAY_MAILS_BEGUN, "mails_begun", "MAIL commands accepted")                            \
	X(GATEWAY_RCPT_UNKNOWN, "rcpt_unknown", "recipients refused: no such user")                \
	X(GATEWAY_RCPT_FOREIGN, "rcpt_foreign", "recipients refused: relaying")                    \
	X(GATEWAY_DATA_REFUSED, "data_refused", "DATA refused with 452: memory or spool short")    \
	X(GATEWAY_CONTENT_REFUSED, "content_refused", "mails refused for their content's form")    \
	X(GATEWAY_CONTENT_OCTETS, "content_octets", "octets of content received")                  \
	X(GATEWAY_NO_CHUNK, "no_chunk", "mails given up: no memory for content")                   \
	X(GATEWAY_STREAMED, "mails_streamed", "large mails sent to the spool while they arrive")   \
	X(GATEWAY_SPILLED, "mails_spilled", "smaller mails sent so for lack of memory")            \
	X(GATEWAY_STREAM_ABORTED, "mails_stream_aborted", "of those, mails that came to nothing")  \
	X(GATEWAY_STREAM_FAILED, "mails_stream_failed",                                            \
		"of those, mails the spool could not take")                                        \
	X(GATEWAY_HELD_BACK, "reads_held_back",                                                    \
		"times a peer was not read from until the spool had caught up")                    \
	X(GATEWAY_MAILS_SHED, "mails_shed",                                                        \
		"mails given up, being the slowest while memory was short")                        \
	X(GATEWAY_NO_MEMORY, "no_envelope_memory", "mails put off: no memory for the envelope")    \
	X(GATEWAY_ACCEPTED, "mails_accepted", "mails answered 250")                                \
	X(GATEWAY_QUARANTINED, "mails_quarantined", "of those, marked for quarantine")             \
	X(GATEWAY_REJECTED, "mails_rejected", "mails refused by policy")                           \
	X(GATEWAY_DEFERRED, "mails_deferred", "mails put off by policy")                           \
	X(GATEWAY_SPOOL_FAILED, "spool_failed", "mails put off: the spool could not keep them")    \
	X(GATEWAY_UNSEALED, "mails_unsealed", "mails not sealed with ARC: their chain forbids it") \
	X(GATEWAY_ORPHANS, "mails_orphaned", "mails kept whose sender was gone before the reply")  \
	X(GATEWAY_IMPATIENT, "verdicts_given_up", "verdicts taken with look-ups still open")       \
	X(GATEWAY_VERIFIER_FULL, "verifier_full",                                                  \
		"mails put off: the auth lcores have all places taken")                            \
	X(GATEWAY_VERIFIER_BEHIND, "verifier_behind",                                              \
		"times content waited for an auth lcore to take what came before")                 \
	X(GATEWAY_VERDICTS_GONE, "verdicts_gone",                                                  \
		"verdicts of auth lcores for mails that were gone")                                \
	X(GATEWAY_QUESTIONS, "dns_questions", "questions sent to the resolver")                    \
	X(GATEWAY_POLLS, "polls", "poll rounds")                                                   \
	X(GATEWAY_ROUNDS_1MS, "rounds_over_1ms", "of those, that took 1 ms or longer")             \
	X(GATEWAY_ROUNDS_10MS, "rounds_over_10ms", "of those, that took 10 ms or longer")          \
	X(GATEWAY_TIMERS_PUT_OFF, "timers_put_off", "of those, that had more timers than one runs") \
	X(GATEWAY_SLEEPS, "sleeps", "times the lcore went to sleep")

COUNTERS_DECLARE(gateway, GATEWAY_COUNTERS)
