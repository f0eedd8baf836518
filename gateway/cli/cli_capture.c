#include "base/ip_addr.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cli_config.h"
#include "gateway/cli/pcap.h"
#include "gateway/control/config_value.h"
#include "gateway/control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/*
 * postern capture: what tcpdump would show, had the packets passed the kernel. The daemon copies
 * packets into memory of its lcores; the tool fetches them over the control socket and writes the
 * file, so nothing but the tool needs a place to write to.
 */

static int run(int argc, char **argv);

const struct cli_command cli_capture = {
	.name = "capture",
	.synopsis = "[-c FILE] [--peer ADDRESS] [--seconds N] [--bytes N] FILE.pcap|-",
	.help = "write what the gateway's devices receive and send to a file for tcpdump",
	.run = run,
};

#define SECONDS_DEFAULT 60
#define SECONDS_MAX     3600
#define BYTES_DEFAULT   (UINT64_C(64) << 20)
#define PACKET_MAX      65536
#define PORTIONS_LAST   64       /* fetched after an interrupt at most */
#define NAP_NS          20000000 /* between two looks at the daemon; its rings last longer */

struct options {
	const char *config, *peer, *file;
	uint64_t seconds, bytes;
};

struct capture_run {
	const struct options *options;
	const char *socket;
	FILE *out;
	char id[16];
	uint64_t packets, octets, dropped;
	bool more, ended, failed, full;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

/* --- options ------------------------------------------------------------------------------------
 */

static const struct option long_options[] = {
	{"peer", required_argument, NULL, 'p'},
	{"seconds", required_argument, NULL, 's'},
	{"bytes", required_argument, NULL, 'b'},
	{0},
};

static int check_options(struct options *options, const char *seconds, const char *bytes)
{
	static const struct config_unit units[] = {
		{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
	struct ip_addr addr;

	if (options->peer && ip_addr_parse(bytes_str(options->peer), &addr) != 0)
		return cli_usage(&cli_capture, "--peer %s is no address", options->peer);
	if (seconds && (bytes_to_u64(bytes_str(seconds), SECONDS_MAX, &options->seconds) != 0 ||
			       options->seconds == 0))
		return cli_usage(&cli_capture, "--seconds %s: from 1 to %d", seconds, SECONDS_MAX);
	if (bytes && config_quantity(bytes_str(bytes), units, &options->bytes) != 0)
		return cli_usage(&cli_capture, "--bytes %s is no size such as 64M", bytes);
	return CLI_OK;
}

static int parse_options(int argc, char **argv, struct options *options)
{
	const char *seconds = NULL, *bytes = NULL;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:", long_options, NULL)) != -1) {
		switch (option) {
		case 'c': options->config = optarg; break;
		case 'p': options->peer = optarg; break;
		case 's': seconds = optarg; break;
		case 'b': bytes = optarg; break;
		case ':': return cli_usage(&cli_capture, "%s needs a value", argv[optind - 1]);
		default: return cli_usage(&cli_capture, "%s is not known", argv[optind - 1]);
		}
	}
	if (optind + 1 != argc)
		return cli_usage(&cli_capture, "name one file, or - for the standard output");
	options->file = argv[optind];
	return check_options(options, seconds, bytes);
}

/* --- talking to the daemon ----------------------------------------------------------------------
 */

static void take_id(void *arg, struct bytes line)
{
	struct capture_run *run = arg;

	snprintf(run->id, sizeof(run->id), "%.*s", BYTES_FMT(line));
}

static void print_reason(void *arg, struct bytes line)
{
	(void)arg;
	cli_fail(CLI_DATA, "%.*s", BYTES_FMT(line));
}

/* The answer to a start: an id, or why there is none. */
static void take_start(void *arg, struct bytes line)
{
	uint64_t id;

	(bytes_to_u64(line, UINT32_MAX, &id) == 0 ? take_id : print_reason)(arg, line);
}

static bool from_hex(struct bytes hex, uint8_t *out, size_t size)
{
	if (hex.len % 2 != 0 || hex.len / 2 > size)
		return false;
	for (size_t i = 0; i < hex.len; i += 2) {
		int high = ascii_hex_value(hex.data[i]), low = ascii_hex_value(hex.data[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* "UNIX_US WIRE_OCTETS HEX" */
static void take_packet(struct capture_run *run, struct bytes line)
{
	static uint8_t octets[PACKET_MAX];
	struct bytes time, wire;
	uint64_t unix_us, wire_len;

	if (!bytes_split(&line, ' ', &time) || !bytes_split(&line, ' ', &wire) ||
		bytes_to_u64(time, UINT64_MAX, &unix_us) != 0 ||
		bytes_to_u64(wire, UINT32_MAX, &wire_len) != 0 ||
		!from_hex(line, octets, sizeof(octets))) {
		run->failed = true;
		return;
	}
	if (run->full || run->octets + PCAP_RECORD_OCTETS + line.len / 2 > run->options->bytes) {
		run->full = true;
		return;
	}
	pcap_put_packet(run->out, unix_us, (uint32_t)wire_len, bytes_of(octets, line.len / 2));
	run->octets += PCAP_RECORD_OCTETS + line.len / 2;
	run->packets++;
}

/* "STATE DROPPED" */
static void take_state(struct capture_run *run, struct bytes line)
{
	struct bytes state;

	if (!bytes_split(&line, ' ', &state) || bytes_to_u64(line, UINT64_MAX, &run->dropped) != 0)
		run->failed = true;
	run->more = bytes_eq(state, BYTES("more"));
	run->ended = bytes_eq(state, BYTES("ended"));
}

static void take_line(void *arg, struct bytes line)
{
	struct capture_run *run = arg;
	struct bytes word;

	if (!bytes_split(&line, ' ', &word))
		return;
	if (bytes_eq(word, BYTES("packet")))
		take_packet(run, line);
	else if (bytes_eq(word, BYTES("state")))
		take_state(run, line);
	else
		run->failed = true;
}

static int ask(struct capture_run *run, const char *command, const char *argument,
	const char *second, void (*take)(void *arg, struct bytes line))
{
	char line[CONTROL_LINE_MAX];
	int error;

	snprintf(line, sizeof(line), "%s %s %s", command, argument, second);
	error = control_ask(run->socket, line, take, run);
	if (error && error != -EINVAL)
		return cli_fail(CLI_FILE, "the daemon does not answer on %s: %s", run->socket,
			strerror(-error));
	return error ? CLI_DATA : CLI_OK;
}

/* --- the capture --------------------------------------------------------------------------------
 */

static void nap(void)
{
	const struct timespec time = {.tv_nsec = NAP_NS};

	nanosleep(&time, NULL);
}

/* A portion, into the file. */
static int fetch(struct capture_run *run)
{
	int code = ask(run, "capture-read", run->id, "", take_line);

	if (code == CLI_OK && run->failed)
		return cli_fail(CLI_DATA, "the daemon's answer is not understood");
	if (code == CLI_OK && fflush(run->out) != 0)
		return cli_fail(CLI_FILE, "%s: %s", run->options->file, strerror(errno));
	return code;
}

/* Until its time, its size, or a signal ends it; then what waits is fetched still. */
static int fetch_all(struct capture_run *run)
{
	unsigned left = PORTIONS_LAST;
	bool last = false;
	int code;

	do {
		last |= interrupted != 0;
		code = fetch(run);
		if (!run->more && !run->ended && !interrupted)
			nap();
	} while (code == CLI_OK && !run->ended && !run->full &&
		 !(last && (!run->more || --left == 0)));
	return code;
}

static int capture(struct capture_run *run)
{
	const struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	char seconds[24];
	int code;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	pcap_put_header(run->out, PACKET_MAX);
	run->octets = PCAP_HEADER_OCTETS;
	snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)run->options->seconds);
	code = ask(run, "capture-start", seconds, run->options->peer ? run->options->peer : "",
		take_start);
	if (code != CLI_OK)
		return code;
	code = fetch_all(run);
	ask(run, "capture-stop", run->id, "", print_reason);
	fprintf(stderr, "postern: %llu packets, %llu octets%s; %llu more had no room\n",
		(unsigned long long)run->packets, (unsigned long long)run->octets,
		run->full ? ", stopped at --bytes" : "", (unsigned long long)run->dropped);
	return code;
}

/* What is captured is people's mail: for its owner alone. */
static FILE *open_file(const char *name)
{
	int fd;

	if (strcmp(name, "-") == 0)
		return stdout;
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd >= 0 ? fdopen(fd, "wb") : NULL;
}

static int run(int argc, char **argv)
{
	struct options options = {
		.config = CLI_CONFIG_DEFAULT, .seconds = SECONDS_DEFAULT, .bytes = BYTES_DEFAULT};
	struct capture_run capture_run = {.options = &options};
	struct config *config;
	int code = parse_options(argc, argv, &options);

	if (code != CLI_OK)
		return code;
	config = cli_config_load(options.config);
	if (!config)
		return CLI_CONFIG;
	capture_run.socket = config->control.socket;
	capture_run.out = open_file(options.file);
	if (!capture_run.out)
		code = cli_fail(CLI_FILE, "%s: %s", options.file, strerror(errno));
	else
		code = capture(&capture_run);
	if (capture_run.out && fclose(capture_run.out) != 0 && code == CLI_OK)
		code = cli_fail(CLI_FILE, "%s: %s", options.file, strerror(errno));
	config_free(config);
	return code;
}
