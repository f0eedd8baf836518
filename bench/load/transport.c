#include "bench/load/transport.h"

static const struct {
	const char *text, *advice;
} errors[] = {
#define X(id, text, advice) {text, advice},
	LOAD_ERRORS(X)
#undef X
};

const char *load_error_text(enum load_error error)
{
	return error < LOAD_ERROR_COUNT ? errors[error].text : "?";
}

const char *load_error_advice(enum load_error error)
{
	return error < LOAD_ERROR_COUNT ? errors[error].advice : "";
}
