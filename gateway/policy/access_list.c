#include "gateway/policy/access_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define US_PER_S 1000000u
/* As long as any line that access_list_put() writes, and then some for comments. */
#define LINE_MAX_OCTETS 512
#define FILE_MAX        ((size_t)ACCESS_RULES_MAX * LINE_MAX_OCTETS)

void access_list_fini(struct access_list *list)
{
	free(list->rules);
	*list = (struct access_list){0};
}

/* --- rules --------------------------------------------------------------------------------------
 */

static bool find(const struct access_list *list, const struct access_rule *rule, unsigned *at)
{
	unsigned low = 0, high = list->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (access_rule_cmp(&list->rules[middle], rule) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return low < list->n && access_rule_cmp(&list->rules[low], rule) == 0;
}

static void take_out(struct access_list *list, unsigned at)
{
	list->n--;
	memmove(&list->rules[at], &list->rules[at + 1], (list->n - at) * sizeof(list->rules[0]));
}

static bool remove_like(struct access_list *list, const struct ip_cidr *net, uint64_t until_us)
{
	const struct access_rule like = {.net = *net, .until_us = until_us};
	unsigned at;
	bool found = find(list, &like, &at);

	if (found)
		take_out(list, at);
	return found;
}

static int make_room(struct access_list *list)
{
	unsigned room = list->room ? list->room * 2 : 64;
	struct access_rule *more;

	if (list->n < list->room)
		return 0;
	if (list->n == ACCESS_RULES_MAX)
		return -ENOSPC;
	more = realloc(list->rules, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	list->rules = more;
	list->room = room;
	return 0;
}

int access_list_set(struct access_list *list, const struct access_rule *rule)
{
	unsigned at;
	int error;

	if (rule->until_us == ACCESS_FOREVER)
		remove_like(list, &rule->net, 0);
	if (find(list, rule, &at)) {
		list->rules[at] = *rule;
		return 0;
	}
	error = make_room(list);
	if (error)
		return error;
	memmove(&list->rules[at + 1], &list->rules[at], (list->n - at) * sizeof(list->rules[0]));
	list->rules[at] = *rule;
	list->n++;
	return 0;
}

unsigned access_list_remove(struct access_list *list, const struct ip_cidr *net)
{
	unsigned removed = remove_like(list, net, ACCESS_FOREVER);

	return removed + remove_like(list, net, 0);
}

unsigned access_list_expire(struct access_list *list, uint64_t now_unix_us)
{
	unsigned kept = 0, before = list->n;

	for (unsigned i = 0; i < before; i++)
		if (list->rules[i].until_us > now_unix_us)
			list->rules[kept++] = list->rules[i];
	list->n = kept;
	return before - kept;
}

/* --- lines --------------------------------------------------------------------------------------
 */

void access_list_put(const struct access_rule *rule, struct text *out)
{
	char net[IP_CIDR_TEXT_MAX];

	ip_cidr_format(&rule->net, net);
	text_printf(out, "%s %s", access_verb_word(rule->verb), net);
	if (rule->until_us != ACCESS_FOREVER)
		text_printf(out, " until %llu", (unsigned long long)(rule->until_us / US_PER_S));
}

static bool take_word(struct bytes *rest, struct bytes *word)
{
	*rest = bytes_trim_fws(*rest);
	return bytes_split(rest, ' ', word) && word->len > 0;
}

static bool take_verb(struct bytes word, struct access_rule *rule)
{
	for (unsigned verb = 0; verb < ACCESS_VERB_COUNT; verb++) {
		if (!bytes_eq(word, bytes_str(access_verb_word(verb))))
			continue;
		rule->verb = (uint8_t)verb;
		return true;
	}
	return false;
}

/* NULL, or what is wrong with the line. */
static const char *parse_line(struct bytes line, struct access_rule *rule)
{
	struct bytes word;
	uint64_t until_s;

	if (!take_word(&line, &word) || !take_verb(word, rule))
		return "neither deny nor allow";
	if (!take_word(&line, &word) || ip_cidr_parse(word, true, &rule->net) != 0)
		return "no network such as 192.0.2.0/24 or 2001:db8::/32";
	rule->until_us = ACCESS_FOREVER;
	if (!take_word(&line, &word))
		return NULL;
	if (!bytes_eq(word, BYTES("until")) || !take_word(&line, &word) ||
		bytes_to_u64(word, UINT64_MAX / US_PER_S - 1, &until_s) != 0 ||
		take_word(&line, &word))
		return "after the network only `until UNIXTIME`";
	rule->until_us = until_s * US_PER_S;
	return NULL;
}

int access_list_parse(
	struct access_list *list, struct bytes content, const char *file, struct text *why)
{
	struct access_rule rule = {0};
	unsigned number = 0;

	for (struct bytes line; bytes_split(&content, '\n', &line);) {
		const char *wrong;
		int error;

		number++;
		line = bytes_trim_fws(bytes_slice(line, 0, bytes_find(line, '#')));
		if (line.len == 0)
			continue;
		wrong = parse_line(line, &rule);
		error = wrong ? -EINVAL : access_list_set(list, &rule);
		if (error) {
			text_printf(
				why, "%s:%u: %s", file, number, wrong ? wrong : strerror(-error));
			return error;
		}
	}
	return 0;
}

/* --- the file -----------------------------------------------------------------------------------
 */

static int read_all(FILE *in, struct bytes *content)
{
	uint8_t *octets = malloc(FILE_MAX);

	if (!octets)
		return -ENOMEM;
	errno = 0;
	*content = bytes_of(octets, fread(octets, 1, FILE_MAX, in));
	if (ferror(in))
		return errno ? -errno : -EIO;
	return feof(in) || content->len < FILE_MAX ? 0 : -EFBIG;
}

int access_list_load(struct access_list *list, const char *path, struct text *why)
{
	FILE *in = fopen(path, "rbe");
	struct bytes content = {0};
	int error = in ? read_all(in, &content) : -errno;

	if (in)
		fclose(in);
	if (error == -ENOENT)
		return 0;
	if (error)
		text_printf(why, "%s: %s", path, strerror(-error));
	else
		error = access_list_parse(list, content, path, why);
	free((void *)content.data);
	return error;
}

static int write_rules(const struct access_list *list, FILE *out)
{
	fputs("# Networks kept out or let in; written by posternd (postern deny, postern allow)\n",
		out);
	for (unsigned i = 0; i < list->n; i++) {
		char line[LINE_MAX_OCTETS];
		struct text text;

		text_init(&text, line, sizeof(line));
		access_list_put(&list->rules[i], &text);
		fprintf(out, "%s\n", text_str(&text));
	}
	if (fflush(out) != 0 || fsync(fileno(out)) != 0)
		return -errno;
	return ferror(out) ? -EIO : 0;
}

/* So that the new name is there after a power cut too. */
static int sync_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int error = fd < 0 || fsync(fd) != 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	free(directory);
	return error;
}

int access_list_save(const struct access_list *list, const char *path)
{
	char *new_path;
	int error = 0, fd;
	FILE *out;

	if (asprintf(&new_path, "%s.new", path) < 0)
		return -ENOMEM;
	fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	out = fd >= 0 ? fdopen(fd, "wb") : NULL;
	error = out ? write_rules(list, out) : -errno;
	if (out)
		fclose(out);
	else if (fd >= 0)
		close(fd);
	if (error == 0 && rename(new_path, path) != 0)
		error = -errno;
	free(new_path);
	return error ? error : sync_directory_of(path);
}

/* --- the table ----------------------------------------------------------------------------------
 */

int access_list_table(const struct access_list *list, uint64_t now_unix_us, uint64_t now_mono_us,
	struct access_table **out)
{
	struct access_rule *rules;
	unsigned n = 0;
	int error;

	*out = NULL;
	if (list->n == 0)
		return 0;
	rules = calloc(list->n, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	for (unsigned i = 0; i < list->n; i++) {
		const struct access_rule *rule = &list->rules[i];

		if (rule->until_us <= now_unix_us)
			continue;
		rules[n] = *rule;
		if (rule->until_us != ACCESS_FOREVER)
			rules[n].until_us = rule->until_us - now_unix_us + now_mono_us;
		n++;
	}
	error = n ? access_table_new(rules, n, out) : 0;
	free(rules);
	return error;
}
