#include "spool/log/log_io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"

#define HUGE_PAGE (2u << 20)

static int result(int r)
{
	return r < 0 ? -errno : r;
}

static int real_open_dir(void *ctx, const char *path, bool create)
{
	(void)ctx;
	if (create && mkdir(path, 0700) != 0 && errno != EEXIST)
		return -errno;
	return result(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int real_lock_dir(void *ctx, int dir)
{
	(void)ctx;
	return result(flock(dir, LOCK_EX | LOCK_NB));
}

static bool plain(int dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	return fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int real_list(void *ctx, int dir, void (*fn)(void *arg, const char *name), void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *e;
	DIR *d;

	(void)ctx;
	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(d)))
		if (plain(dir, e))
			fn(arg, e->d_name);
	closedir(d);
	return 0;
}

/* Where the file system has no direct writes (tmpfs: EINVAL), plain ones do, as each is synced. */
static int real_open(void *ctx, int dir, const char *name, enum log_io_open how)
{
	int flags = O_CLOEXEC | O_NOFOLLOW | (how == LOG_IO_READ ? O_RDONLY : O_RDWR | O_DIRECT);
	int fd;

	(void)ctx;
	if (how == LOG_IO_CREATE)
		flags |= O_CREAT | O_TRUNC;
	fd = openat(dir, name, flags, 0600);
	if (fd < 0 && errno == EINVAL && how != LOG_IO_READ)
		fd = openat(dir, name, flags & ~O_DIRECT, 0600);
	return result(fd);
}

static void real_close(void *ctx, int fd)
{
	(void)ctx;
	close(fd);
}

static int real_size(void *ctx, int fd, uint64_t *octets)
{
	struct stat st;

	(void)ctx;
	if (fstat(fd, &st) != 0)
		return -errno;
	*octets = (uint64_t)st.st_size;
	return 0;
}

static ssize_t real_pread(void *ctx, int fd, void *buf, size_t len, uint64_t offset)
{
	ssize_t n;

	(void)ctx;
	do
		n = pread(fd, buf, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t real_pwrite(void *ctx, int fd, const void *buf, size_t len, uint64_t offset)
{
	ssize_t n;

	(void)ctx;
	do
		n = pwrite(fd, buf, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int real_allocate(void *ctx, int fd, uint64_t octets)
{
	(void)ctx;
	return result(fallocate(fd, 0, 0, (off_t)octets));
}

static int real_sync(void *ctx, int fd)
{
	(void)ctx;
	return result(fdatasync(fd));
}

static int real_sync_dir(void *ctx, int dir)
{
	(void)ctx;
	return result(fsync(dir));
}

static int real_rename(void *ctx, int dir, const char *from, const char *to)
{
	(void)ctx;
	return result(renameat(dir, from, dir, to));
}

static int real_unlink(void *ctx, int dir, const char *name)
{
	(void)ctx;
	return result(unlinkat(dir, name, 0));
}

static int real_space(void *ctx, int dir, uint64_t *octets)
{
	struct statvfs st;

	(void)ctx;
	if (fstatvfs(dir, &st) != 0)
		return -errno;
	*octets = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

static uint64_t real_now_us(void *ctx)
{
	(void)ctx;
	return clock_unix_us();
}

const struct spool_log_io log_io_real = {
	.open_dir = real_open_dir,
	.lock_dir = real_lock_dir,
	.list = real_list,
	.open = real_open,
	.close = real_close,
	.size = real_size,
	.pread = real_pread,
	.pwrite = real_pwrite,
	.allocate = real_allocate,
	.sync = real_sync,
	.sync_dir = real_sync_dir,
	.rename = real_rename,
	.unlink = real_unlink,
	.space = real_space,
	.now_us = real_now_us,
};

int log_io_read_all(const struct spool_log_io *io, int fd, void *buf, size_t len, uint64_t offset)
{
	uint8_t *at = buf;

	while (len) {
		ssize_t n = io->pread(io->ctx, fd, at, len, offset);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/*
 * A short write is gone on with only at a block's edge: a direct write that stopped inside one
 * cannot be continued, and counts as failed.
 */
int log_io_write_all(
	const struct spool_log_io *io, int fd, const void *buf, size_t len, uint64_t offset)
{
	const uint8_t *at = buf;

	while (len) {
		ssize_t n = io->pwrite(io->ctx, fd, at, len, offset);

		if (n < 0)
			return (int)n;
		if (n == 0 || ((size_t)n < len && n % LOG_IO_BLOCK != 0))
			return -EIO;
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int buffer_grow(struct log_io_buffer *b, uint64_t octets)
{
	size_t cap = (octets + HUGE_PAGE) & ~(size_t)(HUGE_PAGE - 1);

	if (octets <= b->cap)
		return 0;
	free(b->data);
	b->cap = 0;
	b->data = aligned_alloc(HUGE_PAGE, cap);
	if (!b->data)
		return -ENOMEM;
	madvise(b->data, cap, MADV_HUGEPAGE); /* or not: it is only slower */
	b->cap = cap;
	return 0;
}

int log_io_slurp(const struct spool_log_io *io, int dir, const char *name, uint64_t max,
	struct log_io_buffer *buffer)
{
	int fd = io->open(io->ctx, dir, name, LOG_IO_READ);
	uint64_t octets = 0;
	int r;

	buffer->len = 0;
	if (fd < 0)
		return fd;
	r = io->size(io->ctx, fd, &octets);
	if (r == 0 && octets > max)
		r = -EFBIG;
	if (r == 0)
		r = buffer_grow(buffer, octets);
	if (r == 0)
		r = log_io_read_all(io, fd, buffer->data, octets, 0);
	if (r == 0)
		buffer->len = octets;
	io->close(io->ctx, fd);
	return r;
}

void log_io_buffer_free(struct log_io_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct log_io_buffer){0};
}
