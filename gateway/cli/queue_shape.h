/* How many mails wait for each domain, and for how long: the table that qshape prints. */
#pragma once

#include "base/bytes.h"

#include <stdio.h>

/* Upper bounds of the columns, in minutes; the last column is for what is older. */
#define QUEUE_SHAPE_AGES 10u
/* Domains told apart; the others are counted together. */
#define QUEUE_SHAPE_DOMAINS 10000u

struct queue_shape;

struct queue_shape *queue_shape_new(void);
void queue_shape_free(struct queue_shape *shape);
/* One recipient, or one mail of a sender; the address's domain counts. */
void queue_shape_add(struct queue_shape *shape, struct bytes address, uint64_t age_us);
/* The domain with most first. `json`: an object a line. */
void queue_shape_print(struct queue_shape *shape, bool json, FILE *out);
