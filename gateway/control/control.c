#include "gateway/control/control.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* For one client's line and answer in all: the daemon serves one at a time. */
#define PATIENCE_US 2000000

static int left_ms(uint64_t end_us)
{
	uint64_t now = clock_mono_us();

	return now < end_us ? (int)((end_us - now) / 1000) + 1 : 0;
}

static int fill_address(struct sockaddr_un *address, const char *path)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address;
	int error = fill_address(&address, path);
	int fd = error ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (error)
		return error;
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

/* --- the daemon's side --------------------------------------------------------------------------
 */

/* A socket nobody answers on is what a killed daemon left. */
static int remove_stale(const char *path)
{
	int fd = connect_to(path);

	if (fd >= 0) {
		close(fd);
		return -EADDRINUSE;
	}
	if (fd == -ECONNREFUSED)
		unlink(path);
	return 0;
}

static int listen_on(const char *path)
{
	struct sockaddr_un address;
	int error = fill_address(&address, path);
	int fd;

	if (error == 0)
		error = remove_stale(path);
	if (error)
		return error;
	/* A client that is gone before it is accepted must not make the daemon wait. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		chmod(path, 0600) == 0 && listen(fd, 8) == 0)
		return fd;
	error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

int control_listen(const char *path, struct text *why)
{
	int fd = listen_on(path);

	if (fd == -EADDRINUSE)
		text_printf(why, "control.socket: %s: another posternd is running on it", path);
	else if (fd < 0)
		text_printf(why, "control.socket: %s: %s", path, strerror(-fd));
	return fd;
}

/* One line, NUL-terminated, without its end; false where none came in time. */
static bool read_line(int fd, char line[CONTROL_LINE_MAX], uint64_t end_us)
{
	size_t len = 0;

	while (len < CONTROL_LINE_MAX - 1) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t n = poll(&wait, 1, left_ms(end_us)) == 1
				    ? read(fd, line + len, CONTROL_LINE_MAX - 1 - len)
				    : -1;

		if (n <= 0)
			return false;
		len += (size_t)n;
		if (memchr(line, '\n', len)) {
			*(char *)memchr(line, '\n', len) = '\0';
			return true;
		}
	}
	return false;
}

static unsigned split(char *line, const char *argv[CONTROL_ARGUMENTS_MAX])
{
	unsigned argc = 0;
	char *rest = line;

	for (char *word; argc < CONTROL_ARGUMENTS_MAX && (word = strsep(&rest, " ")) != NULL;)
		if (*word)
			argv[argc++] = word;
	return argc;
}

static int run_line(
	char *line, const struct control_command *commands, unsigned n, void *daemon, FILE *out)
{
	const char *argv[CONTROL_ARGUMENTS_MAX];
	unsigned argc = split(line, argv);

	for (unsigned i = 0; argc > 0 && i < n; i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(daemon, argc - 1, argv + 1, out);
	fprintf(out, "the daemon knows no command %s\n", argc ? argv[0] : "");
	return -EINVAL;
}

static void write_all(int fd, struct bytes bytes, uint64_t end_us)
{
	while (bytes.len > 0) {
		struct pollfd wait = {.fd = fd, .events = POLLOUT};
		ssize_t n = poll(&wait, 1, left_ms(end_us)) == 1
				    ? send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT)
				    : -1;

		if (n <= 0)
			return;
		bytes = bytes_from(bytes, (size_t)n);
	}
}

static void answer(
	int fd, char *line, const struct control_command *commands, unsigned n, void *daemon)
{
	char *body = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&body, &size);
	uint64_t end_us;
	int error;

	if (!out)
		return;
	error = run_line(line, commands, n, daemon, out);
	fclose(out);
	end_us = clock_mono_us() + PATIENCE_US;
	write_all(fd, error ? BYTES("error\n") : BYTES("ok\n"), end_us);
	write_all(fd, bytes_of(body, size), end_us);
	free(body);
}

void control_serve(int fd, const struct control_command *commands, unsigned n, void *daemon)
{
	char line[CONTROL_LINE_MAX];
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (client < 0)
		return;
	if (read_line(client, line, clock_mono_us() + PATIENCE_US))
		answer(client, line, commands, n, daemon);
	close(client);
}

/* --- the tool's side ----------------------------------------------------------------------------
 */

int control_ask(
	const char *path, const char *say, void (*line)(void *arg, struct bytes text), void *arg)
{
	int fd = connect_to(path);
	FILE *in = fd >= 0 ? fdopen(fd, "r+") : NULL;
	char *text = NULL;
	size_t size = 0;
	bool first = true, good = false;
	uint64_t end_us;

	if (!in)
		return fd < 0 ? fd : -errno;
	end_us = clock_mono_us() + PATIENCE_US;
	write_all(fd, bytes_str(say), end_us);
	write_all(fd, BYTES("\n"), end_us);
	while (getline(&text, &size, in) > 0) {
		struct bytes got = bytes_trim_fws(bytes_str(text));

		if (!first)
			line(arg, got);
		else
			good = bytes_eq(got, BYTES("ok"));
		first = false;
	}
	free(text);
	fclose(in);
	return good ? 0 : first ? -ECONNRESET : -EINVAL;
}
