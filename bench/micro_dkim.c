/*
 * Sixteen mails of 20 KB with one RSA-2048 signature each, header section and all, keys in the
 * cache, verified side by side; against EVP's SHA-256 of their bodies alone.
 */
#include "auth/dkim/dkim.h"
#include "auth/dkim/dkim_key.h"
#include "auth/dkim/dkim_sign.h"
#include "auth/dns/dns_asks.h"
#include "base/arena.h"
#include "bench/micro.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define MAILS      16
#define BODY       20480
#define MAIL_MAX   (BODY + 4096)
#define HEADER_MAX 8192
#define BLOCKS     256
#define NOW        1790000000

struct mail {
	struct dkim_signer *signer;
	struct dns_answer answer;
	struct dns_record record;
	char record_text[1024];
	struct bytes message, body;
	char octets[MAIL_MAX];
	struct arena arena;
	struct dns_asks asks;
	struct dkim_verifier *verifier;
	uint8_t header[HEADER_MAX];
};

struct mails {
	struct crypto_queue *queue;
	EVP_MD_CTX *evp;
	struct slab blocks;
	struct mail mail[MAILS];
};

static const char head[] =
	"Received: from mail.example.com (mail.example.com [192.0.2.1]) by mx.example.net\r\n"
	"\twith ESMTPS id 4XyZ; Tue, 24 Nov 2026 11:00:00 +0000\r\n"
	"From: Joe SixPack <joe@example.com>\r\nTo: Suzie Q <suzie@example.net>\r\n"
	"Subject: Is dinner ready?\r\nDate: Tue, 24 Nov 2026 10:59:59 +0000\r\n"
	"Message-ID: <20261124105959.5F8J@example.com>\r\nMIME-Version: 1.0\r\n"
	"Content-Type: text/plain; charset=utf-8\r\n\r\n";

static bool mail_setup(struct mail *mail, struct slab *blocks)
{
	static const char line[] =
		"The quick brown fox jumps over the lazy dog, and then some more.\r\n";
	static char plain[MAIL_MAX];
	const struct dkim_sign_options options = {.domain = BYTES("example.com"),
		.selector = BYTES("s"),
		.header = DKIM_RELAXED,
		.body = DKIM_RELAXED,
		.now_unix_s = NOW};
	struct text text, out, record;

	text_init(&text, plain, sizeof(plain));
	text_put(&text, bytes_str(head));
	while (text.len < sizeof(head) + BODY - sizeof(line))
		text_put(&text, bytes_str(line));
	text_init(&out, mail->octets, sizeof(mail->octets));
	text_init(&record, mail->record_text, sizeof(mail->record_text));
	if (dkim_signer_generate(2048, &mail->signer) < 0 ||
		dkim_signer_record(mail->signer, &record) < 0 ||
		dkim_sign(mail->signer, &options, text_bytes(&text), &out) < 0)
		return false;
	text_put(&out, text_bytes(&text));
	mail->message = text_bytes(&out);
	mail->body = bytes_from(mail->message, mail->message.len - (text.len - sizeof(head) + 1));
	mail->record.text = text_bytes(&record);
	mail->answer = (struct dns_answer){
		.holds = 1, .outcome = DNS_OK, .n = 1, .records = &mail->record};
	mail->answer.parsed = dkim_key_parser.parse(&mail->answer);
	arena_init(&mail->arena, blocks, BLOCKS / MAILS);
	return true;
}

static void *setup(const struct micro *micro)
{
	struct mails *mails = calloc(1, sizeof(*mails));
	if (!mails || slab_init(&mails->blocks, ARENA_BLOCK_SIZE, BLOCKS) < 0)
		return NULL;
	mails->queue = crypto_queue_new();
	mails->evp = EVP_MD_CTX_new();
	for (unsigned i = 0; i < MAILS; i++)
		if (!mail_setup(&mails->mail[i], &mails->blocks)) {
			fprintf(stderr, "%s: cannot sign\n", micro->name);
			return NULL;
		}
	return mails;
}

static void teardown(void *state)
{
	struct mails *mails = state;
	for (unsigned i = 0; i < MAILS; i++) {
		dkim_signer_free(mails->mail[i].signer);
		dkim_key_parser.free(mails->mail[i].answer.parsed);
	}
	crypto_queue_free(mails->queue);
	EVP_MD_CTX_free(mails->evp);
	slab_fini(&mails->blocks);
	free(mails);
}

static void begin(struct mails *mails, struct mail *mail)
{
	struct bytes rest = mail->message;
	struct fields fields;
	struct field field;

	dns_asks_init(&mail->asks, &mail->arena);
	mail->verifier = dkim_verifier_new(
		&mail->arena, &mail->asks, mails->queue, &dkim_limits_default, NOW);
	fields_init(&fields, mail->header, sizeof(mail->header));
	while (fields_feed(&fields, &rest, &field) == FIELDS_FIELD)
		dkim_verifier_field(mail->verifier, &field);
	dkim_verifier_header_end(mail->verifier);
	for (int i; (i = dns_asks_take(&mail->asks, 0)) >= 0;)
		dns_asks_answer(&mail->asks, (unsigned)i, &mail->answer, 0);
	dkim_verifier_body(mail->verifier, rest);
	dkim_verifier_body_end(mail->verifier);
}

static void end(struct mail *mail)
{
	if (dkim_verifier_result(mail->verifier, 0)->result != AUTH_PASS) {
		fprintf(stderr, "a signature fails\n");
		exit(1);
	}
	dkim_verifier_fini(mail->verifier);
	dns_asks_fini(&mail->asks);
	arena_reset(&mail->arena);
}

static uint64_t ours(void *state)
{
	struct mails *mails = state;
	for (unsigned i = 0; i < MAILS; i++)
		begin(mails, &mails->mail[i]);
	while (crypto_pending(mails->queue))
		crypto_run(mails->queue, 0, true, 1000000);
	for (unsigned i = 0; i < MAILS; i++)
		end(&mails->mail[i]);
	return MAILS;
}

static uint64_t reference(void *state)
{
	struct mails *mails = state;
	uint8_t digest[32];
	for (unsigned i = 0; i < MAILS; i++) {
		EVP_DigestInit_ex2(mails->evp, EVP_sha256(), NULL);
		EVP_DigestUpdate(mails->evp, mails->mail[i].body.data, mails->mail[i].body.len);
		EVP_DigestFinal_ex(mails->evp, digest, NULL);
	}
	return MAILS;
}

const struct micro micro_dkim_mail = {
	"dkim-mail", "mails/s", setup, ours, reference, teardown};
