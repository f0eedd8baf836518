#pragma once

#include "auth/pipeline.h"
#include "base/chunk.h"

struct mail;
struct worker;

/*
 * Where an io lcore's mails are verified: on the lcore itself (verifier_inline) or on the auth
 * lcores (verifier_rings, where `lcores.auth` is above 0). Its owner tells a mail's story in order:
 * begin, feed as often as content comes, end, and forget at any point (again is nothing).
 * mail_verdict() follows end; mail_refused() may come before it or in its place. Neither comes
 * after forget.
 */
struct verifier {
	/* At MAIL FROM; the envelope is copied. False where there is no room for another. */
	bool (*begin)(struct mail *mail, const struct auth_envelope *envelope);
	/*
	 * Content behind what was fed before. Its chunk stays until behind() says that all of it
	 * was passed on and run() has returned. What is wrong with it may come later.
	 */
	enum auth_feed (*feed)(struct mail *mail, struct chunk_range range);
	enum auth_feed (*end)(struct mail *mail);
	/* Look-ups are no longer waited for. */
	void (*give_up)(struct mail *mail);
	/* Done with it, whether there was a verdict or not: mail->auth is gone. */
	void (*forget)(struct mail *mail);
	/* Octets fed that could not be passed on yet. */
	uint64_t (*behind)(const struct mail *mail);

	/* One poll round, in this order; each returns how much there was to do. */
	unsigned (*take)(struct worker *worker);           /* answers of other threads */
	unsigned (*run)(struct worker *worker, bool idle); /* jobs; `idle` as in crypto_run() */
	unsigned (*verdicts)(struct worker *worker);       /* calls those two */
	void (*send)(struct worker *worker);               /* to other threads */

	/* Before the lcore sleeps. */
	uint64_t (*deadline_us)(const struct worker *worker);
	bool (*has_answers)(const struct worker *worker);
	bool (*awaits)(const struct worker *worker); /* other threads have work of ours */
};

/* Verifies with worker->auth, which asks by worker->asker. */
extern const struct verifier verifier_inline;
