/*
 * The system calls of the log, behind a table so that a simulator of faults can stand in. Files are
 * named within one directory. Everything returns 0 (or what is said) or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Direct writes: address, length and offset are multiples of this. */
#define LOG_IO_BLOCK 4096u

enum log_io_open {
	LOG_IO_READ,   /* an existing file */
	LOG_IO_WRITE,  /* an existing file, past the page cache where the file system can */
	LOG_IO_CREATE, /* the same for a new file, or an old one cut to nothing */
};

struct spool_log_io {
	void *ctx;
	/* Opens the directory, made (0700) if `create`. Returns a descriptor. */
	int (*open_dir)(void *ctx, const char *path, bool create);
	/* Keeps others out: -EWOULDBLOCK if another process has it. Ends with the descriptor. */
	int (*lock_dir)(void *ctx, int dir);
	/* Calls fn for each plain file. */
	int (*list)(void *ctx, int dir, void (*fn)(void *arg, const char *name), void *arg);
	/* Returns a descriptor. */
	int (*open)(void *ctx, int dir, const char *name, enum log_io_open how);
	void (*close)(void *ctx, int fd);
	int (*size)(void *ctx, int fd, uint64_t *octets);
	/* May read or write less than asked; read gives 0 at the end. */
	ssize_t (*pread)(void *ctx, int fd, void *buf, size_t len, uint64_t offset);
	ssize_t (*pwrite)(void *ctx, int fd, const void *buf, size_t len, uint64_t offset);
	/* Space for the file's first octets. */
	int (*allocate)(void *ctx, int fd, uint64_t octets);
	int (*sync)(void *ctx, int fd);
	int (*sync_dir)(void *ctx, int dir);
	int (*rename)(void *ctx, int dir, const char *from, const char *to);
	int (*unlink)(void *ctx, int dir, const char *name);
	/* Octets that new files may take. */
	int (*space)(void *ctx, int dir, uint64_t *octets);
	/* Microseconds since 1970. */
	uint64_t (*now_us)(void *ctx);
};

extern const struct spool_log_io log_io_real;

/* All of it or -errno; a short read is -EIO. */
int log_io_read_all(const struct spool_log_io *io, int fd, void *buf, size_t len, uint64_t offset);
int log_io_write_all(
	const struct spool_log_io *io, int fd, const void *buf, size_t len, uint64_t offset);
/* Memory for whole files, grown as needed and used again: fresh pages cost more than the disk. */
struct log_io_buffer {
	uint8_t *data;
	size_t len, cap;
};

/* The file's whole content, at most `max` octets (-EFBIG). */
int log_io_slurp(const struct spool_log_io *io, int dir, const char *name, uint64_t max,
	struct log_io_buffer *buffer);
void log_io_buffer_free(struct log_io_buffer *buffer);
