#include "auth/message/fields.h"
#include "auth/message/mailbox.h"
#include "base/arena.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * The malformed mails of an outside suite (MAIL_SUITE, skipped where it is not there): whole and
 * octet by octet they give the same fields, which with their line ends are the section as it came,
 * and every From is read to some end.
 */

#define MAIL_MAX   (1u << 20)
#define FIELDS_MAX 1024
#define BLOCKS     64

struct split {
	uint8_t *buffer;
	struct fields fields;
	struct field field[FIELDS_MAX];
	unsigned n;
	size_t taken;
	bool ended;
};

static void split(struct split *s, struct bytes mail, size_t portion)
{
	enum fields_event event = FIELDS_MORE;

	s->n = 0;
	s->taken = 0;
	fields_init(&s->fields, s->buffer, MAIL_MAX);
	while (event == FIELDS_MORE || event == FIELDS_FIELD) {
		struct bytes input = bytes_slice(mail, s->taken, portion);
		size_t given = input.len;

		assert_true(s->n < FIELDS_MAX);
		event = given ? fields_feed(&s->fields, &input, &s->field[s->n])
			      : fields_finish(&s->fields, &s->field[s->n]);
		s->taken += given - input.len;
		s->n += event == FIELDS_FIELD;
	}
	s->ended = event == FIELDS_END;
}

static struct bytes read_mail(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *mail = malloc(MAIL_MAX);
	size_t len = 0;
	int octet, before = 0;

	assert_non_null(file);
	while ((octet = getc(file)) != EOF && len + 2 <= MAIL_MAX) {
		if (octet == '\n' && before != '\r')
			mail[len++] = '\r';
		mail[len++] = (uint8_t)octet;
		before = octet;
	}
	fclose(file);
	return bytes_of(mail, len);
}

static void read_authors(const struct split *s, struct arena *arena)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct mailbox_domains domains;

		if (!field_is(&s->field[i], BYTES("From")))
			continue;
		mailbox_domains_parse(s->field[i].value, arena, &domains);
		assert_true(domains.n <= MAILBOX_MAX_DOMAINS);
		arena_reset(arena);
	}
}

static void check_mail(
	const char *path, struct split *whole, struct split *dribbled, struct arena *arena)
{
	struct bytes mail = read_mail(path);
	size_t at = 0;

	split(whole, mail, SIZE_MAX);
	split(dribbled, mail, 1);
	assert_true(whole->ended && dribbled->ended);
	assert_int_equal(whole->n, dribbled->n);
	assert_int_equal(whole->taken, dribbled->taken);
	for (unsigned i = 0; i < whole->n; i++) {
		assert_true(bytes_eq(whole->field[i].raw, dribbled->field[i].raw));
		assert_true(bytes_eq(
			whole->field[i].raw, bytes_slice(mail, at, whole->field[i].raw.len)));
		at += whole->field[i].raw.len + 2;
	}
	read_authors(whole, arena);
	free((void *)(uintptr_t)mail.data);
}

static void every_malformed_mail_is_split_alike_and_unchanged(void **state)
{
	static struct split whole, dribbled;
	const char *suite = getenv("MAIL_SUITE");
	DIR *dir = suite ? opendir(suite) : NULL;
	struct slab slab;
	struct arena arena;
	unsigned mails = 0;

	(void)state;
	if (!dir)
		skip();
	assert_int_equal(slab_init(&slab, ARENA_BLOCK_SIZE, BLOCKS), 0);
	arena_init(&arena, &slab, BLOCKS);
	whole.buffer = malloc(MAIL_MAX);
	dribbled.buffer = malloc(MAIL_MAX);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char path[1024];

		if (!bytes_ends_nocase(bytes_str(entry->d_name), BYTES(".eml")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", suite, entry->d_name);
		check_mail(path, &whole, &dribbled, &arena);
		mails++;
	}
	closedir(dir);
	assert_true(mails > 0);
	free(whole.buffer);
	free(dribbled.buffer);
	arena_fini(&arena);
	slab_fini(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_malformed_mail_is_split_alike_and_unchanged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
