/*
 * A job is a lane. Each lane offers a run of whole blocks, and the lanes go forward together by the
 * shortest run; how many lanes there are decides which code does it. Runs that are all but used up
 * are finished at once, so that the lanes meet again at their next pulls instead of cutting each
 * other's runs to pieces.
 */
#include "auth/crypto/hash_batch.h"

#include "auth/crypto/crypto_cpu.h"
#include "auth/crypto/sha256_priv.h"

/* Fewer are faster by SHA-NI (measured: 3.3 GB/s of four against 5.4 GB/s of sixteen). */
#define AVX512_LANES_MIN 10

/* Blocks that are not worth a round of all lanes. */
#define SHORT_RUN 4

struct lane {
	struct hash_job *job;
	uint8_t *scratch;
	struct bytes piece; /* pulled, not yet in a run */
	const uint8_t *run; /* whole blocks to be hashed */
	size_t run_blocks;
};

/* Octets into the state's block; true once it is full. */
static bool fill_block(struct sha256_state *state, struct bytes *piece)
{
	size_t have = state->octets % 64;
	size_t take = piece->len < 64 - have ? piece->len : 64 - have;
	memcpy(state->block + have, piece->data, take);
	state->octets += take;
	*piece = bytes_from(*piece, take);
	return have + take == 64;
}

static void take_blocks(struct lane *lane)
{
	size_t blocks = lane->piece.len / 64;
	lane->run = lane->piece.data;
	lane->run_blocks = blocks;
	lane->job->state.octets += blocks * 64;
	lane->piece = bytes_from(lane->piece, blocks * 64);
}

/* What was written to the scratch is joined to the octets left over. */
static bool pull(struct lane *lane, uint64_t *octets)
{
	struct sha256_state *state = &lane->job->state;
	uint8_t *room = lane->scratch + HASH_LEFT_OVER;
	size_t have = state->octets % 64;

	if (!lane->job->pull(lane->job, room, &lane->piece))
		return false;
	*octets += lane->piece.len;
	if (lane->piece.data == room && lane->piece.len) {
		memcpy(room - have, state->block, have);
		state->octets -= have;
		lane->piece = bytes_of(room - have, lane->piece.len + have);
	}
	return true;
}

/* The next run; false once the job has no more. */
static bool lane_refill(struct lane *lane, uint64_t *octets)
{
	for (;;) {
		struct sha256_state *state = &lane->job->state;
		if (lane->piece.len == 0) {
			if (!pull(lane, octets))
				return false;
		} else if (state->octets % 64 == 0 && lane->piece.len >= 64) {
			take_blocks(lane);
			return true;
		} else if (fill_block(state, &lane->piece)) {
			lane->run = state->block;
			lane->run_blocks = 1;
			return true;
		}
	}
}

static void advance(struct lane *const lanes[], unsigned n, sha256_lanes_fn hash)
{
	uint32_t *h[HASH_BATCH_MAX] = {NULL};
	const uint8_t *data[HASH_BATCH_MAX] = {NULL};
	size_t blocks = SIZE_MAX;

	for (unsigned i = 0; i < n; i++) {
		h[i] = lanes[i]->job->state.h;
		data[i] = lanes[i]->run;
		if (lanes[i]->run_blocks < blocks)
			blocks = lanes[i]->run_blocks;
	}
	hash(h, data, n, blocks);
	for (unsigned i = 0; i < n; i++) {
		lanes[i]->run += 64 * blocks;
		lanes[i]->run_blocks -= blocks;
	}
}

static void lanes_one_by_one(
	uint32_t *const h[], const uint8_t *const data[], unsigned n, size_t blocks)
{
	for (unsigned i = 0; i < n; i++)
		sha256_blocks(h[i], data[i], blocks);
}

static void advance_by_four(struct lane *const lanes[], unsigned n)
{
	sha256_lanes_fn hash = crypto_cpu.sha ? sha256_lanes_ni : lanes_one_by_one;
	for (unsigned i = 0; i < n; i += SHA256_NI_LANES)
		advance(lanes + i, n - i < SHA256_NI_LANES ? n - i : SHA256_NI_LANES, hash);
}

static void finish_short_runs(struct lane *const lanes[], unsigned n)
{
	struct lane *some[HASH_BATCH_MAX];
	unsigned k;
	do {
		k = 0;
		for (unsigned i = 0; i < n; i++)
			if (lanes[i]->run_blocks && lanes[i]->run_blocks <= SHORT_RUN)
				some[k++] = lanes[i];
		advance_by_four(some, k);
	} while (k);
}

static void advance_all(struct lane *const lanes[], unsigned n)
{
	if (n < AVX512_LANES_MIN || !crypto_cpu.avx512) {
		advance_by_four(lanes, n);
		return;
	}
	advance(lanes, n, sha256_lanes_avx512);
	finish_short_runs(lanes, n);
}

uint64_t hash_batch_run(struct hash_batch *batch, struct hash_job *const jobs[], unsigned n)
{
	struct lane lanes[HASH_BATCH_MAX], *active[HASH_BATCH_MAX];
	uint64_t octets = 0;

	for (unsigned i = 0; i < n; i++) {
		lanes[i] = (struct lane){.job = jobs[i], .scratch = batch->scratch[i]};
		active[i] = &lanes[i];
	}
	for (;;) {
		unsigned left = 0;
		for (unsigned i = 0; i < n; i++)
			if (active[i]->run_blocks || lane_refill(active[i], &octets))
				active[left++] = active[i];
		if (left == 0)
			return octets;
		n = left;
		advance_all(active, n);
	}
}
