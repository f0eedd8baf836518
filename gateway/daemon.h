#pragma once

#include "gateway/threads.h"

/*
 * The daemon as a whole: everything made in the order of DESIGN §3 (devices, spool, keys; then
 * privileges are dropped; then threads), and taken down in the reverse.
 */
struct daemon;

/*
 * 0 or -errno; `why` says what failed and what to do. Threads run when it returns. `config` must
 * outlive the daemon.
 */
int daemon_start(const struct config *config, struct daemon **out, struct text *why);
/* Read the file again. 0, or -errno where it was refused (the log says why) and nothing changed. */
int daemon_reload(struct daemon *daemon, const char *path);
/* Drain: 421 to the idle, finish what is in DATA, sync, then end every thread. */
void daemon_stop(struct daemon *daemon);

/* The control socket, to be polled for reading; then serve one client. */
int daemon_control_fd(const struct daemon *daemon);
void daemon_control(struct daemon *daemon);
