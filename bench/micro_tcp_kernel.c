#include "bench/micro_tcp_kernel.h"

#include "bench/micro_tcp_smtp.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT         2525
#define OURS         "10.92.0.1"
#define PEERS        "10.92.0.2"
#define TURN_OCTETS  (1u << 20)
#define TURN_CONNS   100u
#define BLOCK        65536u
#define EVENTS       256
#define THREAD_TRIES 100 /* of 10 ms, for the NAPI thread to appear */

struct kernel_tcp {
	enum kernel_tcp_work work;
	bool loopback;
	pid_t child;
	int listener, conn, epoll;
	clockid_t softirq; /* of the NAPI thread of our end */
};

static bool complain(const char *what)
{
	fprintf(stderr, "postern-micro: %s: %s\n", what, strerror(errno));
	return false;
}

/* --- namespaces and the wire --- */

static bool run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command) == 0)
		return true;
	fprintf(stderr, "postern-micro: '%s' failed\n", command);
	return false;
}

/* A network of our own, and the view of /sys that belongs to it. */
static bool enter_namespaces(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return complain("network namespace (needs root)");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		return complain("/sys");
	return run("ip link set lo up");
}

static bool set_up_end(const char *device, const char *address)
{
	return run("ethtool -K %s gso off tso off gro on >/dev/null", device) &&
	       run("ip link set dev %s gro_max_size 1", device) &&
	       run("ip addr add %s/24 dev %s && ip link set dev %s up", address, device, device) &&
	       run("echo 1 >/sys/class/net/%s/threaded", device);
}

/* The thread that polls a device: "napi/DEVICE-NUMBER". */
static bool find_napi(const char *device, clockid_t *clock)
{
	char wanted[40], path[300], name[64];
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	snprintf(wanted, sizeof(wanted), "napi/%s-", device);
	while (!found && (entry = readdir(dir))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		found = fgets(name, sizeof(name), file) &&
			strncmp(name, wanted, strlen(wanted)) == 0 &&
			clock_getcpuclockid(atoi(entry->d_name), clock) == 0;
		fclose(file);
	}
	closedir(dir);
	return found;
}

static bool await_napi(const char *device, clockid_t *clock)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int i = 0; i < THREAD_TRIES; i++) {
		if (find_napi(device, clock))
			return true;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "postern-micro: %s has no NAPI thread\n", device);
	return false;
}

/* --- the child: the other end --- */

static struct sockaddr_in address_of(const char *host)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};

	inet_pton(AF_INET, host, &address.sin_addr);
	return address;
}

static int send_for_ever(const struct sockaddr_in *server)
{
	static char block[BLOCK];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0)
		return 1;
	while (send(fd, block, sizeof(block), MSG_NOSIGNAL) > 0)
		;
	return 0;
}

static bool ask(int epoll, const struct sockaddr_in *server)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || (connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0 &&
			      errno != EINPROGRESS))
		return false;
	event.data.fd = fd;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* The client of one event: what it does to 220, 221 and the end. True: the connection is over. */
static bool client_step(int fd)
{
	char line[512];
	ssize_t n = recv(fd, line, sizeof(line), 0);

	if (n <= 0)
		return n == 0 || errno != EAGAIN;
	if (line[2] == '0')
		send(fd, SMTP_QUIT, strlen(SMTP_QUIT), MSG_NOSIGNAL);
	return false;
}

static int ask_for_ever(const struct sockaddr_in *server)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC), n;

	for (unsigned i = 0; i < SMTP_AT_ONCE; i++)
		if (!ask(epoll, server))
			return 1;
	while ((n = epoll_wait(epoll, events, EVENTS, -1)) > 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			if (!client_step(events[i].data.fd))
				continue;
			close(events[i].data.fd);
			if (!ask(epoll, server))
				return 1;
		}
	}
	return 1;
}

/* `ready` tells the parent that the namespace is there, `go` that the device is. */
static int child_main(const struct kernel_tcp *k, const char *device, int ready, int go)
{
	struct sockaddr_in server = address_of(k->loopback ? "127.0.0.1" : OURS);
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!k->loopback && !enter_namespaces())
		return 1;
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		return 1;
	if (!k->loopback && !set_up_end(device, PEERS))
		return 1;
	return k->work == KERNEL_TCP_BULK ? send_for_ever(&server) : ask_for_ever(&server);
}

/* --- the parent: what is measured --- */

static bool listen_here(struct kernel_tcp *k)
{
	struct sockaddr_in address = address_of(k->loopback ? "127.0.0.1" : OURS);
	int yes = 1;

	k->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(k->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(k->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(k->listener, 1024) < 0)
		return complain("listening");
	return true;
}

static bool open_work(struct kernel_tcp *k)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (k->work == KERNEL_TCP_BULK) {
		k->conn = accept(k->listener, NULL, NULL);
		return k->conn >= 0 || complain("accept");
	}
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	event.data.fd = k->listener;
	fcntl(k->listener, F_SETFL, O_NONBLOCK);
	return epoll_ctl(k->epoll, EPOLL_CTL_ADD, k->listener, &event) == 0 || complain("epoll");
}

static bool wire_up(struct kernel_tcp *k, const char *ours, const char *theirs)
{
	if (k->loopback)
		return true;
	return run("ip link add %s type veth peer name %s netns %d", ours, theirs, k->child) &&
	       set_up_end(ours, OURS) && await_napi(ours, &k->softirq);
}

static bool start(struct kernel_tcp *k)
{
	char ours[16], theirs[16], byte = 0;
	int ready[2], go[2];
	bool good;

	snprintf(ours, sizeof(ours), "pm%da", getpid());
	snprintf(theirs, sizeof(theirs), "pm%db", getpid());
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		return complain("pipe");
	k->child = fork();
	if (k->child == 0)
		_exit(child_main(k, theirs, ready[1], go[0]));
	close(ready[1]);
	close(go[0]);
	good = k->child > 0 && read(ready[0], &byte, 1) == 1 && wire_up(k, ours, theirs) &&
	       listen_here(k) && write(go[1], &byte, 1) == 1 && open_work(k);
	close(ready[0]);
	close(go[1]);
	return good;
}

struct kernel_tcp *kernel_tcp_new(enum kernel_tcp_work work, bool loopback)
{
	static bool entered;
	struct kernel_tcp *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->work = work;
	k->loopback = loopback;
	k->listener = k->conn = k->epoll = -1;
	if (!entered && !enter_namespaces()) {
		free(k);
		return NULL;
	}
	entered = true;
	if (!start(k)) {
		kernel_tcp_free(k);
		return NULL;
	}
	return k;
}

void kernel_tcp_free(struct kernel_tcp *k)
{
	const int fds[] = {k->listener, k->conn, k->epoll};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (k->child > 0) {
		kill(k->child, SIGKILL);
		waitpid(k->child, NULL, 0);
	}
	free(k);
}

static double clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double kernel_tcp_ns(const struct kernel_tcp *k)
{
	double ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	return k->loopback ? ns : ns + clock_ns(k->softirq);
}

static uint64_t receive(struct kernel_tcp *k)
{
	static char block[BLOCK];
	uint64_t total = 0;

	while (total < TURN_OCTETS) {
		ssize_t n = recv(k->conn, block, sizeof(block), 0);

		if (n <= 0) {
			complain("the sender has gone");
			exit(1);
		}
		total += (uint64_t)n;
	}
	return total;
}

static void greet(struct kernel_tcp *k)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd;

	while ((fd = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		event.data.fd = fd;
		epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &event);
		send(fd, SMTP_GREETING, strlen(SMTP_GREETING), MSG_NOSIGNAL);
	}
}

/* True: a connection was served to its end. */
static bool answer(int fd)
{
	char line[512];
	ssize_t n = recv(fd, line, sizeof(line), 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n > 0 && smtp_is_quit(line, (size_t)n))
		send(fd, SMTP_BYE, strlen(SMTP_BYE), MSG_NOSIGNAL);
	close(fd);
	return true;
}

static uint64_t respond(struct kernel_tcp *k)
{
	struct epoll_event events[EVENTS];
	uint64_t done = 0;

	while (done < TURN_CONNS) {
		int n = epoll_wait(k->epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == k->listener)
				greet(k);
			else
				done += answer(events[i].data.fd);
		}
	}
	return done;
}

uint64_t kernel_tcp_work(struct kernel_tcp *k)
{
	return k->work == KERNEL_TCP_BULK ? receive(k) : respond(k);
}
