/*
 * Any octets on the control socket: whoever sent a line gets an answer, a command gets words
 * without blanks and no more than it may, and who sent none is let go.
 */
#include "gateway/control/control.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/postern-control-fuzz-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener = -1;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int say(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	(void)daemon;
	require(argc < CONTROL_ARGUMENTS_MAX);
	for (unsigned i = 0; i < argc; i++) {
		require(argv[i][0] && !strpbrk(argv[i], " \n"));
		fprintf(out, "%s\n", argv[i]);
	}
	return argc == 0 ? -22 : 0;
}

static const struct control_command commands[] = {{"say", say}, {"s", say}};

static void end(void)
{
	unlink(address.sun_path);
	rmdir(folder);
}

static void begin(void)
{
	char reason[256];
	struct text why;

	text_init(&why, reason, sizeof(reason));
	require(mkdtemp(folder) != NULL);
	atexit(end);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	listener = control_listen(address.sun_path, &why);
	require(listener >= 0);
}

static bool has_line(const uint8_t *data, size_t size)
{
	size_t looked_at = size < CONTROL_LINE_MAX - 1 ? size : CONTROL_LINE_MAX - 1;

	return looked_at > 0 && memchr(data, '\n', looked_at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char head[8] = "", rest[4096];
	ssize_t n;
	int fd;

	if (listener < 0)
		begin();
	size = size < 3 * CONTROL_LINE_MAX ? size : 3 * CONTROL_LINE_MAX;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	require(size == 0 || write(fd, data, size) == (ssize_t)size);
	shutdown(fd, SHUT_WR);
	control_serve(listener, commands, sizeof(commands) / sizeof(commands[0]), NULL);
	n = recv(fd, head, sizeof(head) - 1, MSG_WAITALL);
	if (has_line(data, size))
		require(strncmp(head, "ok", 2) == 0 || strncmp(head, "error", 5) == 0);
	else
		require(n <= 0);
	while (read(fd, rest, sizeof(rest)) > 0)
		;
	close(fd);
	return 0;
}
