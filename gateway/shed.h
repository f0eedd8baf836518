/*
 * What a worker gives up when it runs short: DATA is put off, the longest idle are closed, in the
 * order of tcp_pressure() (its two other steps, narrow windows and deaf ears, are the stack's own).
 */
#pragma once

#include "gateway/worker.h"

/* Nobody is closed who has been idle for less: those between two commands are at work. */
#define SHED_IDLE_US 1000000
/* Sessions looked at for one that is idle. */
#define SHED_LOOK 64

/* 421 to the session that has been idle longest; false where none is. */
bool shed_longest_idle(struct worker *worker);
/* Once a poll round: how short memory is now, and one session less where it is too short. */
void shed_round(struct worker *worker);
