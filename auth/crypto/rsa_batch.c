#include "auth/crypto/rsa_batch.h"

#include "auth/crypto/crypto_cpu.h"

#define BATCHED_EXPONENT 65537

/* Of what no class is for: Ed25519, and RSA with other exponents. */
#define ED25519_NS 85000
#define RSA_ONE_NS 70000

/* One by one; in classes all the same, so that dear keys delay no others. */
static const struct rsa_kernel openssl = {.name = "openssl",
	.lanes = 1,
	.class = {
		{0, 1038, 1, 6000}, {0, 2078, 1, 20000}, {0, 3118, 1, 40000}, {0, 4158, 1, 70000}}};

/* The best first. */
static const struct path {
	const struct rsa_kernel *kernel;
	const bool *available; /* NULL: everywhere */
} paths[] = {
	{&rsa_ifma, &crypto_cpu.avx512_ifma},
	{&rsa_avx2, &crypto_cpu.avx2},
	{&openssl, NULL},
};
#define N_PATHS (sizeof(paths) / sizeof(paths[0]))

static const struct rsa_kernel *kernel = &openssl;

static bool is_available(const struct path *path)
{
	return !path->available || *path->available;
}

/* After crypto_cpu has looked. */
__attribute__((constructor(102))) static void rsa_batch_choose(void)
{
	const struct path *path = paths;
	while (!is_available(path))
		path++;
	kernel = path->kernel;
}

bool crypto_rsa_use(const char *name)
{
	for (size_t i = 0; i < N_PATHS; i++)
		if (strcmp(paths[i].kernel->name, name) == 0 && is_available(&paths[i])) {
			kernel = paths[i].kernel;
			return true;
		}
	return false;
}

static const struct rsa_kernel_class *class_of(enum crypto_lane lane)
{
	return &kernel->class[lane - CRYPTO_LANE_RSA_1024];
}

enum crypto_lane rsa_batch_lane(unsigned bits, uint64_t exponent, bool odd)
{
	if (exponent == BATCHED_EXPONENT && odd && bits >= RSA_KERNEL_MIN_BITS)
		for (enum crypto_lane l = CRYPTO_LANE_RSA_1024; l <= CRYPTO_LANE_RSA_4096; l++)
			if (bits <= class_of(l)->max_bits)
				return l;
	return CRYPTO_LANE_RSA_ONE;
}

unsigned rsa_batch_size(enum crypto_lane lane)
{
	return lane <= CRYPTO_LANE_RSA_4096 ? kernel->lanes : 1;
}

unsigned rsa_batch_worth(enum crypto_lane lane)
{
	return class_of(lane)->worth;
}

uint32_t rsa_batch_cost_ns(enum crypto_lane lane, unsigned n)
{
	if (lane > CRYPTO_LANE_RSA_4096)
		return n * (lane == CRYPTO_LANE_ED25519 ? ED25519_NS : RSA_ONE_NS);
	if (n >= rsa_batch_worth(lane) && kernel->lanes > 1)
		return class_of(lane)->batch_ns;
	return n * openssl.class[lane - CRYPTO_LANE_RSA_1024].batch_ns;
}

const char *crypto_rsa_path(void)
{
	return kernel->name;
}

void *rsa_batch_constants_new(const struct pubkey *key)
{
	return kernel->key_new(key, class_of(key->lane)->digits);
}

void rsa_batch_verify(
	enum crypto_lane lane, struct pubkey_job *const jobs[RSA_BATCH_MAX], unsigned n)
{
	kernel->verify(class_of(lane)->digits, jobs, n);
}
