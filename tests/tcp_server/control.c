#include "tests/tcp_server/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A client that has not read its reply by then is dropped. */
#define WRITE_TIMEOUT_S 5

/* Nobody answers there: the file is what a server left that was killed. */
static bool is_dead(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool dead = fd >= 0 &&
		    connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		    errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return dead;
}

int control_open(struct control *control, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int rc;

	control->client = control->listener = -1;
	control->len = control->used = 0;
	control->overlong = false;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	strcpy(control->path, path);
	if (is_dead(&address))
		unlink(path);
	control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->listener >= 0 &&
		bind(control->listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		listen(control->listener, 4) == 0)
		return 0;
	rc = -errno;
	if (control->listener >= 0)
		close(control->listener);
	return rc;
}

static void drop_client(struct control *control)
{
	close(control->client);
	control->client = -1;
	control->len = control->used = 0;
	control->overlong = false;
}

void control_close(struct control *control)
{
	if (control->client >= 0)
		close(control->client);
	close(control->listener);
	unlink(control->path);
}

static void take_client(struct control *control)
{
	struct timeval patience = {.tv_sec = WRITE_TIMEOUT_S};

	control->client = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
	if (control->client >= 0)
		setsockopt(control->client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

void control_poll(struct control *control)
{
	ssize_t n;

	if (control->client < 0)
		take_client(control);
	if (control->client < 0 || control->len == sizeof(control->in))
		return;
	n = recv(control->client, control->in + control->len, sizeof(control->in) - control->len,
		MSG_DONTWAIT);
	if (n > 0)
		control->len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		drop_client(control);
}

bool control_line(struct control *control, struct bytes *line)
{
	struct bytes have = bytes_of(control->in, control->len);
	size_t end = bytes_find(have, '\n');

	if (end == BYTES_NPOS) {
		if (control->len == sizeof(control->in)) { /* no command is that long */
			control->overlong = true;
			control->len = 0;
		}
		return false;
	}
	*line = bytes_slice(have, 0, end);
	if (line->len > 0 && line->data[line->len - 1] == '\r')
		line->len--;
	control->used = end + 1;
	return true;
}

void control_reply(struct control *control, struct bytes reply)
{
	size_t sent = 0;

	memmove(control->in, control->in + control->used, control->len - control->used);
	control->len -= control->used;
	control->used = 0;
	control->overlong = false;
	while (sent < reply.len) {
		ssize_t n =
			send(control->client, reply.data + sent, reply.len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			drop_client(control);
			return;
		}
		sent += (size_t)n;
	}
}

int control_fd(const struct control *control)
{
	return control->client >= 0 ? control->client : control->listener;
}
