#include "auth/dkim/dkim_sign.h"
#include "base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/sign_input.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * postern dkim: a key pair for a domain with the record to publish, and a message signed with it.
 * The private key goes to a new file that only its owner may read; everything else to stdout.
 */

static int run(int argc, char **argv);

const struct cli_command cli_dkim = {
	.name = "dkim",
	.synopsis = "keygen --domain D --selector S [--rsa BITS|--ed25519] [--key FILE] |\n"
		    "       sign --domain D --selector S --key FILE [--headers A:B] [--canon "
		    "HEADER/BODY] [--now T] [--lf] MESSAGE|-",
	.help = "make a signing key and its DNS record; sign a message",
	.run = run,
};

#define KEY_FILE_MAX 16384
#define RECORD_MAX   2048
#define FIELD_MAX    8192
#define STRING_MAX   255 /* octets of one string of a TXT record (RFC 1035 §3.3) */
#define RSA_BITS     2048
#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX 4096

struct options {
	const char *domain, *selector, *key, *headers, *canon, *now, *rsa, *message;
	bool ed25519, convert;
};

static const struct option long_options[] = {
	{"domain", required_argument, NULL, 'd'},
	{"selector", required_argument, NULL, 's'},
	{"key", required_argument, NULL, 'k'},
	{"headers", required_argument, NULL, 'h'},
	{"canon", required_argument, NULL, 'c'},
	{"now", required_argument, NULL, 'n'},
	{"rsa", required_argument, NULL, 'r'},
	{"ed25519", no_argument, NULL, 'e'},
	{"lf", no_argument, NULL, 'l'},
	{NULL, 0, NULL, 0},
};

static int parse_options(int argc, char **argv, struct options *options)
{
	int c;
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		switch (c) {
		case 'd': options->domain = optarg; break;
		case 's': options->selector = optarg; break;
		case 'k': options->key = optarg; break;
		case 'h': options->headers = optarg; break;
		case 'c': options->canon = optarg; break;
		case 'n': options->now = optarg; break;
		case 'r': options->rsa = optarg; break;
		case 'e': options->ed25519 = true; break;
		case 'l': options->convert = true; break;
		case ':': return cli_usage(&cli_dkim, "%s needs a value", argv[optind - 1]);
		default: return cli_usage(&cli_dkim, "unknown option %s", argv[optind - 1]);
		}
	}
	if (!options->domain || !options->selector)
		return cli_usage(&cli_dkim, "--domain and --selector are needed");
	options->message = argv[optind];
	if (optind + 1 < argc)
		return cli_usage(&cli_dkim, "%s is too much", argv[optind + 1]);
	return CLI_OK;
}

/* --- keygen ---------------------------------------------------------------------------------- */

static int write_all(int fd, struct bytes bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.data, bytes.len);
		if (n < 0)
			return -errno;
		bytes = bytes_from(bytes, (size_t)n);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Never over a file that is there: it may hold a key in use. */
static int write_key(const struct dkim_signer *signer, const char *path)
{
	char pem[KEY_FILE_MAX];
	struct text text;

	text_init(&text, pem, sizeof(pem));
	if (dkim_signer_pem(signer, &text) < 0)
		return cli_fail(CLI_SOFTWARE, "the key cannot be written down");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return cli_fail(CLI_FILE, "%s: %s", path, strerror(errno));
	int error = write_all(fd, text_bytes(&text));
	close(fd);
	explicit_bzero(pem, sizeof(pem));
	if (error < 0) {
		unlink(path);
		return cli_fail(CLI_FILE, "%s: %s", path, strerror(-error));
	}
	return CLI_OK;
}

/* A line of a master file: the record in strings of no more than 255 octets. */
static int print_record(const struct dkim_signer *signer, const struct options *options)
{
	char record[RECORD_MAX];
	struct text text;

	text_init(&text, record, sizeof(record));
	if (dkim_signer_record(signer, &text) < 0)
		return cli_fail(CLI_SOFTWARE, "no record can be made of the key");
	printf("%s._domainkey.%s. 3600 IN TXT", options->selector, options->domain);
	for (struct bytes rest = text_bytes(&text); rest.len; rest = bytes_from(rest, STRING_MAX))
		printf(" \"%.*s\"", BYTES_FMT(bytes_slice(rest, 0, STRING_MAX)));
	putchar('\n');
	return CLI_OK;
}

static int keygen(const struct options *options)
{
	uint64_t bits = RSA_BITS;
	struct dkim_signer *signer;
	char name[2 * 256 + 8];

	if (options->message)
		return cli_usage(&cli_dkim, "%s is too much", options->message);
	if (options->rsa && options->ed25519)
		return cli_usage(&cli_dkim, "either --rsa or --ed25519");
	if (options->rsa && (bytes_to_u64(bytes_str(options->rsa), RSA_BITS_MAX, &bits) < 0 ||
				    bits < RSA_BITS_MIN))
		return cli_usage(&cli_dkim, "--rsa %s: 1024 to 4096 bits", options->rsa);
	if (!options->key && (size_t)snprintf(name, sizeof(name), "%s.%s.pem", options->selector,
				     options->domain) >= sizeof(name))
		return cli_usage(&cli_dkim, "the names are too long");
	if (dkim_signer_generate(options->ed25519 ? 0 : (unsigned)bits, &signer) < 0)
		return cli_fail(CLI_SOFTWARE, "no key could be made");
	int code = write_key(signer, options->key ? options->key : name);
	if (code == CLI_OK)
		code = print_record(signer, options);
	dkim_signer_free(signer);
	return code;
}

/* --- sign ------------------------------------------------------------------------------------ */

static bool take_canon(struct bytes word, enum dkim_canon *canon)
{
	*canon = bytes_eq(word, BYTES("simple")) ? DKIM_SIMPLE : DKIM_RELAXED;
	return *canon == DKIM_SIMPLE || bytes_eq(word, BYTES("relaxed"));
}

/* As c= has it (RFC 6376 §3.5): without a slash the body is simple. */
static bool parse_canon(const char *text, enum dkim_canon *header, enum dkim_canon *body)
{
	struct bytes rest = bytes_str(text), word;

	*header = *body = DKIM_RELAXED;
	if (!text)
		return true;
	bytes_split(&rest, '/', &word);
	if (!take_canon(word, header))
		return false;
	*body = DKIM_SIMPLE;
	return !rest.data || take_canon(rest, body);
}

static int sign_message(const struct options *options, const struct dkim_signer *signer,
	struct bytes message, uint64_t now_unix_s)
{
	struct dkim_sign_options how = {.domain = bytes_str(options->domain),
		.selector = bytes_str(options->selector),
		.names = bytes_str(options->headers),
		.now_unix_s = now_unix_s};
	char field[FIELD_MAX];
	struct text text;

	if (!parse_canon(options->canon, &how.header, &how.body))
		return cli_usage(&cli_dkim, "--canon %s: simple or relaxed, twice", options->canon);
	text_init(&text, field, sizeof(field));
	int error = dkim_sign(signer, &how, message, &text);
	if (error == -EINVAL)
		return cli_fail(CLI_DATA, "a message without From cannot be signed");
	if (error < 0)
		return cli_fail(CLI_SOFTWARE, "signing: %s", strerror(-error));
	fwrite(field, 1, text.len, stdout);
	fwrite(message.data, 1, message.len, stdout);
	return fflush(stdout) == 0 ? CLI_OK : cli_fail(CLI_FILE, "stdout: %s", strerror(errno));
}

static int sign(const struct options *options)
{
	struct sign_message message = {.input = {.convert = options->convert}};
	uint64_t now_unix_s = clock_unix_us() / 1000000;
	struct dkim_signer *signer = NULL;

	if (!options->key || !options->message)
		return cli_usage(&cli_dkim, "sign needs --key and a message");
	if (options->now && bytes_to_u64(bytes_str(options->now), INT64_MAX, &now_unix_s) < 0)
		return cli_usage(&cli_dkim, "--now %s is no time in seconds", options->now);
	int code = sign_input_key(options->key, &signer);
	if (code == CLI_OK)
		code = sign_input_message(options->message, &message);
	if (code == CLI_OK)
		code = sign_message(
			options, signer, bytes_of(message.octets, message.len), now_unix_s);
	dkim_signer_free(signer);
	free(message.octets);
	return code;
}

static int run(int argc, char **argv)
{
	struct options options = {0};
	const char *verb = argc > 1 ? argv[1] : "";
	bool is_sign = strcmp(verb, "sign") == 0;

	if (!is_sign && strcmp(verb, "keygen") != 0)
		return cli_usage(&cli_dkim, "keygen or sign?");
	int code = parse_options(argc - 1, argv + 1, &options);
	if (code != CLI_OK)
		return code;
	return is_sign ? sign(&options) : keygen(&options);
}
