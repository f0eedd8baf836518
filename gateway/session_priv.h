#pragma once

#include "gateway/session.h"

/* The parts of a session among themselves. */

/* --- session.c --- */

/* Our side is done: what was sent still goes out (DESIGN §5, linger). `reason` is a token for the
 * log. */
void session_close(struct session *session, const char *reason);
void session_abort(struct session *session, const char *reason);
/* `reason` is for its trace. */
void session_drop_mail(struct session *session, const char *reason);

/* --- session_output.c --- */

/* Sends, or keeps what TCP does not take. false: the session is gone. */
bool session_output_send(struct session *session, const struct text *out);
/* Sends what was kept earlier; true when nothing of it is left. */
bool session_output_flush(struct session *session);
/* Say a last word and close, at once if it has gone out: then the session is gone, and true. */
bool session_output_last(struct session *session, enum smtp_reply_id id, const char *reason);

/* --- session_time.c --- */

/* Let the timer run out no later than what is awaited now may take; one that runs out too early is
 * armed again then. */
void session_time_arm(struct session *session);
/* It ended otherwise than by QUIT. */
void session_time_log(struct session *session, const char *event, const char *reason);
/* The peer is gone. */
void session_time_lost(struct session *session);

/* --- session_ask.c --- */

/* One event of the SMTP session, answered into `out`. false: nothing more to do now. */
bool session_ask_event(struct session *session, enum smtp_event event, struct text *out);
/* The receive window of commands, or of content. */
void session_ask_window(struct session *session, bool wide);
