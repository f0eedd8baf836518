#include "gateway/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

static int fail(struct text *why, const char *what, const char *user)
{
	int error = errno ? errno : EINVAL;

	text_printf(why, "control.user: %s: %s: %s", user, what, strerror(error));
	return -error;
}

static const struct passwd *find(const char *user, struct text *why, int *error)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(user);
	*error = entry ? 0 : fail(why, "no such user (make it, or leave control.user out)", user);
	return entry;
}

int privileges_give(const char *user, const char *path, struct text *why)
{
	int error;
	const struct passwd *entry = find(user, why, &error);

	if (entry && lchown(path, entry->pw_uid, entry->pw_gid) != 0)
		error = fail(why, path, user);
	return error;
}

int privileges_drop(const char *user, struct text *why)
{
	int error;
	const struct passwd *entry = find(user, why, &error);

	if (!entry)
		return error;
	/* glibc changes the ids of all threads, DPDK's too; leaving uid 0 clears their
	 * capabilities. */
	if (initgroups(user, entry->pw_gid) != 0 ||
		setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
		setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0)
		return fail(why, "cannot become it", user);
	return 0;
}

int privileges_no_new(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}
