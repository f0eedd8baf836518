#include "spool/log/log_sim.h"

#include <errno.h>
#include <stdio.h>

#include "base/testing.h"

#define SECTOR     512u
#define MAX_FILES  96u
#define MAX_FDS    64u
#define NAME_SIZE  40u
#define DIR_FD     1000
#define FILES_MOST (64u << 20)

struct sim_write {
	uint64_t offset;
	size_t len;
	uint8_t *data;
};

/* A file; `data` is what a reader sees, `disk` what surely survives. */
struct inode {
	unsigned refs;
	uint8_t *data, *disk;
	uint64_t len, disk_len;
	struct sim_write *writes; /* not synced */
	unsigned n_writes;
};

struct sim_name {
	char name[NAME_SIZE];
	struct inode *inode;
};

/* A directory's state; the last is what is seen, those before are what a crash may go back to. */
struct sim_dir {
	struct sim_name names[MAX_FILES];
	unsigned n;
};

#define MAX_DIRS 64u

struct log_sim {
	struct spool_log_io io;
	uint64_t random;
	struct sim_dir *dirs[MAX_DIRS]; /* [0] is durable */
	unsigned n_dirs;
	struct inode *fds[MAX_FDS];
	bool crashed;
	enum log_sim_fault fault;
	uint64_t fault_call, calls;
	uint64_t limit, now_us;
	const struct inode *unreadable; /* NULL: none */
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void inode_hold(struct inode *i)
{
	i->refs++;
}

static void forget_writes(struct inode *i)
{
	for (unsigned w = 0; w < i->n_writes; w++)
		free(i->writes[w].data);
	free(i->writes);
	i->writes = NULL;
	i->n_writes = 0;
}

static void inode_release(struct inode *i)
{
	if (--i->refs)
		return;
	forget_writes(i);
	free(i->data);
	free(i->disk);
	free(i);
}

static void put(uint8_t **to, uint64_t *to_len, uint64_t offset, const void *data, size_t len)
{
	if (offset + len > *to_len) {
		*to = must(realloc(*to, offset + len));
		memset(*to + *to_len, 0, offset + len - *to_len);
		*to_len = offset + len;
	}
	memcpy(*to + offset, data, len);
}

static struct sim_dir *top(struct log_sim *s)
{
	return s->dirs[s->n_dirs - 1];
}

static struct sim_name *find(struct log_sim *s, const char *name)
{
	struct sim_dir *d = top(s);

	for (unsigned i = 0; i < d->n; i++)
		if (strcmp(d->names[i].name, name) == 0)
			return &d->names[i];
	return NULL;
}

static void dir_drop(struct sim_dir *d)
{
	for (unsigned i = 0; i < d->n; i++)
		inode_release(d->names[i].inode);
	free(d);
}

/* The journal wrote out what came so far. */
static void dirs_settle(struct log_sim *s, unsigned upto)
{
	for (unsigned i = 0; i < upto; i++)
		dir_drop(s->dirs[i]);
	memmove(s->dirs, s->dirs + upto, (s->n_dirs - upto) * sizeof(s->dirs[0]));
	s->n_dirs -= upto;
}

/* A new state, to be changed. */
static void dir_step(struct log_sim *s)
{
	struct sim_dir *d;

	if (s->n_dirs == MAX_DIRS)
		dirs_settle(s, MAX_DIRS / 2);
	d = must(malloc(sizeof(*d)));
	*d = *top(s);
	for (unsigned i = 0; i < d->n; i++)
		inode_hold(d->names[i].inode);
	s->dirs[s->n_dirs++] = d;
}

static void name_remove(struct log_sim *s, const char *name)
{
	struct sim_name *n = find(s, name);

	if (!n)
		return;
	inode_release(n->inode);
	*n = top(s)->names[--top(s)->n];
}

static void name_add(struct log_sim *s, const char *name, struct inode *inode)
{
	struct sim_dir *d = top(s);

	if (d->n == MAX_FILES)
		abort();
	snprintf(d->names[d->n].name, NAME_SIZE, "%s", name);
	inode_hold(inode);
	d->names[d->n++].inode = inode;
}

/* The fault that meets this call, counted. */
static enum log_sim_fault fault_now(struct log_sim *s)
{
	if (s->crashed)
		return LOG_SIM_CRASH;
	if (s->calls++ != s->fault_call || s->fault == LOG_SIM_NONE)
		return LOG_SIM_NONE;
	if (s->fault == LOG_SIM_CRASH)
		s->crashed = true;
	return s->fault;
}

/* The same for calls that cannot be short. */
static int simple_fault(struct log_sim *s)
{
	switch (fault_now(s)) {
	case LOG_SIM_CRASH:
	case LOG_SIM_EIO: return -EIO;
	case LOG_SIM_ENOSPC: return -ENOSPC;
	default: return 0;
	}
}

static int sim_open_dir(void *ctx, const char *path, bool create)
{
	const struct log_sim *s = ctx;

	(void)path;
	(void)create;
	return s->crashed ? -EIO : DIR_FD;
}

static int sim_lock_dir(void *ctx, int dir)
{
	(void)ctx;
	(void)dir;
	return 0;
}

static int sim_list(void *ctx, int dir, void (*fn)(void *arg, const char *name), void *arg)
{
	struct log_sim *s = ctx;

	(void)dir;
	for (unsigned i = 0; i < top(s)->n; i++)
		fn(arg, top(s)->names[i].name);
	return 0;
}

static int create(struct log_sim *s, const char *name)
{
	struct inode *inode;
	int e = simple_fault(s);

	if (e != 0)
		return e;
	inode = must(calloc(1, sizeof(*inode)));
	dir_step(s);
	name_remove(s, name);
	name_add(s, name, inode);
	return 0;
}

static int sim_open(void *ctx, int dir, const char *name, enum log_io_open how)
{
	struct log_sim *s = ctx;
	int fd = 0, e;

	(void)dir;
	if (s->crashed)
		return -EIO;
	if (how == LOG_IO_CREATE) {
		e = create(s, name);
		if (e != 0)
			return e;
	}
	if (!find(s, name))
		return -ENOENT;
	while (s->fds[fd])
		if (++fd == MAX_FDS)
			abort();
	s->fds[fd] = find(s, name)->inode;
	inode_hold(s->fds[fd]);
	return fd;
}

static void sim_close(void *ctx, int fd)
{
	struct log_sim *s = ctx;

	if (fd == DIR_FD)
		return;
	inode_release(s->fds[fd]);
	s->fds[fd] = NULL;
}

static int sim_size(void *ctx, int fd, uint64_t *octets)
{
	const struct log_sim *s = ctx;

	*octets = s->fds[fd]->len;
	return 0;
}

static ssize_t sim_pread(void *ctx, int fd, void *buf, size_t len, uint64_t offset)
{
	const struct log_sim *s = ctx;
	const struct inode *i = s->fds[fd];

	if (s->crashed || i == s->unreadable)
		return -EIO;
	if (offset >= i->len)
		return 0;
	len = len < i->len - offset ? len : i->len - offset;
	memcpy(buf, i->data + offset, len);
	return (ssize_t)len;
}

static void write_note(struct inode *i, const void *data, size_t len, uint64_t offset)
{
	struct sim_write *w;

	i->writes = must(realloc(i->writes, (i->n_writes + 1) * sizeof(*i->writes)));
	w = &i->writes[i->n_writes++];
	w->offset = offset;
	w->len = len;
	w->data = must(malloc(len + 1));
	memcpy(w->data, data, len);
	put(&i->data, &i->len, offset, data, len);
}

static uint64_t used(struct log_sim *s)
{
	uint64_t octets = 0;

	for (unsigned i = 0; i < top(s)->n; i++)
		octets += top(s)->names[i].inode->len;
	return octets;
}

static ssize_t sim_pwrite(void *ctx, int fd, const void *buf, size_t len, uint64_t offset)
{
	struct log_sim *s = ctx;
	struct inode *i = s->fds[fd];
	enum log_sim_fault fault = fault_now(s);
	uint64_t part = len ? test_random(&s->random) % len : 0;

	if ((uintptr_t)buf % LOG_IO_BLOCK || len % LOG_IO_BLOCK || offset % LOG_IO_BLOCK)
		return -EINVAL;
	switch (fault) {
	case LOG_SIM_NONE: break;
	case LOG_SIM_CRASH:
	case LOG_SIM_EIO: write_note(i, buf, part, offset); return -EIO;
	case LOG_SIM_ENOSPC: return -ENOSPC;
	case LOG_SIM_SHORT: part -= part % LOG_IO_BLOCK; /* fall through */
	case LOG_SIM_TORN:
		if (part == 0)
			return -EIO;
		write_note(i, buf, part, offset);
		return (ssize_t)part;
	}
	if (offset + len > i->len && used(s) + offset + len - i->len > s->limit)
		return -ENOSPC;
	write_note(i, buf, len, offset);
	return (ssize_t)len;
}

static int sim_allocate(void *ctx, int fd, uint64_t octets)
{
	struct log_sim *s = ctx;
	const struct inode *i = s->fds[fd];
	int e = simple_fault(s);

	if (e == 0 && octets > i->len && used(s) + octets - i->len > s->limit)
		e = -ENOSPC;
	return e;
}

static void to_disk(struct inode *i, const struct sim_write *w, size_t from, size_t to)
{
	put(&i->disk, &i->disk_len, w->offset + from, w->data + from, to - from);
}

static void sectors_to_disk(struct log_sim *s, struct inode *i, const struct sim_write *w)
{
	for (size_t at = 0; at < w->len; at += SECTOR)
		if (test_random(&s->random) & 1)
			to_disk(i, w, at, at + SECTOR < w->len ? at + SECTOR : w->len);
}

static int sim_sync(void *ctx, int fd)
{
	struct log_sim *s = ctx;
	struct inode *i = s->fds[fd];
	int e = simple_fault(s);

	if (s->crashed)
		return -EIO;
	/* After a failed sync the kernel takes the data for written, whatever became of it. */
	for (unsigned w = 0; w < i->n_writes; w++) {
		if (e != 0)
			sectors_to_disk(s, i, &i->writes[w]);
		else
			to_disk(i, &i->writes[w], 0, i->writes[w].len);
	}
	forget_writes(i);
	return e;
}

static int sim_sync_dir(void *ctx, int dir)
{
	struct log_sim *s = ctx;
	int e = simple_fault(s);

	(void)dir;
	if (e == 0)
		dirs_settle(s, s->n_dirs - 1);
	return e;
}

static int sim_rename(void *ctx, int dir, const char *from, const char *to)
{
	struct log_sim *s = ctx;
	struct inode *inode;
	int e = simple_fault(s);

	(void)dir;
	if (e != 0)
		return e;
	if (!find(s, from))
		return -ENOENT;
	dir_step(s);
	inode = find(s, from)->inode;
	inode_hold(inode);
	name_remove(s, to);
	name_remove(s, from);
	name_add(s, to, inode);
	inode_release(inode);
	return 0;
}

static int sim_unlink(void *ctx, int dir, const char *name)
{
	struct log_sim *s = ctx;
	int e = simple_fault(s);

	(void)dir;
	if (e != 0)
		return e;
	if (!find(s, name))
		return -ENOENT;
	dir_step(s);
	name_remove(s, name);
	return 0;
}

static int sim_space(void *ctx, int dir, uint64_t *octets)
{
	struct log_sim *s = ctx;
	uint64_t taken = used(s);

	(void)dir;
	*octets = taken < s->limit ? s->limit - taken : 0;
	return s->crashed ? -EIO : 0;
}

static uint64_t sim_now_us(void *ctx)
{
	const struct log_sim *s = ctx;

	return s->now_us;
}

static const struct spool_log_io sim_io = {
	.open_dir = sim_open_dir,
	.lock_dir = sim_lock_dir,
	.list = sim_list,
	.open = sim_open,
	.close = sim_close,
	.size = sim_size,
	.pread = sim_pread,
	.pwrite = sim_pwrite,
	.allocate = sim_allocate,
	.sync = sim_sync,
	.sync_dir = sim_sync_dir,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.space = sim_space,
	.now_us = sim_now_us,
};

struct log_sim *log_sim_new(uint64_t seed)
{
	struct log_sim *s = must(calloc(1, sizeof(*s)));

	s->io = sim_io;
	s->io.ctx = s;
	s->random = seed;
	s->limit = FILES_MOST;
	s->now_us = UINT64_C(1790000000000000);
	s->dirs[0] = must(calloc(1, sizeof(struct sim_dir)));
	s->n_dirs = 1;
	return s;
}

void log_sim_free(struct log_sim *s)
{
	for (unsigned fd = 0; fd < MAX_FDS; fd++)
		if (s->fds[fd])
			inode_release(s->fds[fd]);
	for (unsigned i = 0; i < s->n_dirs; i++)
		dir_drop(s->dirs[i]);
	free(s);
}

const struct spool_log_io *log_sim_io(struct log_sim *s)
{
	return &s->io;
}

uint64_t log_sim_calls(const struct log_sim *s)
{
	return s->calls;
}

void log_sim_fault(struct log_sim *s, enum log_sim_fault fault, uint64_t call)
{
	s->fault = fault;
	s->fault_call = call;
}

void log_sim_limit(struct log_sim *s, uint64_t octets)
{
	s->limit = octets;
}

void log_sim_rot(struct log_sim *s, const char *name, uint64_t offset)
{
	struct inode *i = find(s, name)->inode;

	i->data[offset] ^= 0x20;
	if (offset < i->disk_len)
		i->disk[offset] ^= 0x20;
}

void log_sim_unreadable(struct log_sim *s, const char *name)
{
	s->unreadable = name ? find(s, name)->inode : NULL;
}

void log_sim_names(struct log_sim *s, void (*fn)(void *arg, const char *name), void *arg)
{
	sim_list(s, DIR_FD, fn, arg);
}

void log_sim_advance(struct log_sim *s, uint64_t us)
{
	s->now_us += us;
}

static void crash_file(struct log_sim *s, struct inode *i, enum log_sim_crash how)
{
	unsigned last = i->n_writes ? (unsigned)(test_random(&s->random) % i->n_writes) : 0;

	for (unsigned w = 0; w < i->n_writes; w++) {
		const struct sim_write *x = &i->writes[w];

		if (how == LOG_SIM_KEEP_ALL || (how == LOG_SIM_TEAR_LAST && w < last))
			to_disk(i, x, 0, x->len);
		else if (how == LOG_SIM_TEAR_LAST && w == last && x->len)
			to_disk(i, x, 0, test_random(&s->random) % x->len);
		else if (how == LOG_SIM_TEAR_SECTORS)
			sectors_to_disk(s, i, x);
	}
	forget_writes(i);
	free(i->data);
	i->data = must(malloc(i->disk_len + 1));
	if (i->disk_len)
		memcpy(i->data, i->disk, i->disk_len);
	i->len = i->disk_len;
}

void log_sim_reboot(struct log_sim *s, enum log_sim_crash how)
{
	unsigned keep = s->n_dirs;

	if (how == LOG_SIM_DROP_ALL)
		keep = 1;
	else if (how != LOG_SIM_KEEP_ALL)
		keep = 1 + (unsigned)(test_random(&s->random) % s->n_dirs);
	while (s->n_dirs > keep)
		dir_drop(s->dirs[--s->n_dirs]);
	dirs_settle(s, s->n_dirs - 1);
	for (unsigned fd = 0; fd < MAX_FDS; fd++) {
		if (s->fds[fd])
			inode_release(s->fds[fd]);
		s->fds[fd] = NULL;
	}
	for (unsigned i = 0; i < top(s)->n; i++)
		crash_file(s, top(s)->names[i].inode, how);
	s->crashed = false;
	s->fault = LOG_SIM_NONE;
	s->calls = 0;
}
