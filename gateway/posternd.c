#include "base/clock.h"
#include "gateway/control/config_report.h"
#include "gateway/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* posternd -c FILE: the daemon. Stays in the foreground; SIGTERM and SIGINT drain and end it,
 * SIGHUP reads the file again. */

static void usage(FILE *out)
{
	fputs("usage: posternd -c FILE\n"
	      "The inbound SMTP gateway. FILE is the configuration (default "
	      "/etc/postern/postern.yaml); `postern check -c FILE` tells what is wrong with it.\n",
		out);
}

/* systemd's protocol for a reload (sd_notify(3)). */
static void reload(struct daemon *daemon, const char *path)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_mono_us());
	daemon_reload(daemon, path);
	sd_notify(0, "READY=1");
}

/* false: the daemon is to end. */
static bool take_signal(struct daemon *daemon, int signals, const char *path)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo != SIGHUP)
		return false;
	reload(daemon, path);
	return true;
}

/* Serve signals and the control socket until one of the former ends it. */
static void serve(struct daemon *daemon, int signals, const char *path)
{
	struct pollfd waits[] = {{.fd = signals, .events = POLLIN},
		{.fd = daemon_control_fd(daemon), .events = POLLIN}};

	for (;;) {
		/* DPDK's tap device interrupts with signals of its own. */
		if (poll(waits, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (waits[0].revents && !take_signal(daemon, signals, path))
			return;
		if (waits[1].revents)
			daemon_control(daemon);
	}
}

static int run(const struct config *config, const char *path)
{
	char buffer[512];
	struct daemon *daemon;
	struct text why;
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	/* Blocked before any thread is made, so that only signalfd sees them. */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	text_init(&why, buffer, sizeof(buffer));
	if (daemon_start(config, &daemon, &why) != 0) {
		fprintf(stderr, "posternd: %s\n", text_str(&why));
		return EXIT_FAILURE;
	}
	sd_notify(0, "READY=1");
	serve(daemon, fd, path);
	sd_notify(0, "STOPPING=1");
	daemon_stop(daemon);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *path = "/etc/postern/postern.yaml";
	struct config_errors errors;
	struct config *config;
	int option, code;

	while ((option = getopt(argc, argv, "c:h")) != -1) {
		switch (option) {
		case 'c': path = optarg; break;
		case 'h': usage(stdout); return EXIT_SUCCESS;
		default: usage(stderr); return EX_USAGE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EX_USAGE;
	}
	umask(077);
	if (config_load(path, &config, &errors) != 0) {
		config_report(path, &errors);
		return EX_CONFIG;
	}
	code = run(config, path);
	config_free(config);
	return code;
}
