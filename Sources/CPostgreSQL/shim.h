#pragma once
#include <libpq-fe.h>

// Swift does not import character-literal macros.
static const int reengagement_PG_DIAG_SQLSTATE = PG_DIAG_SQLSTATE;
static const int reengagement_PG_DIAG_MESSAGE_PRIMARY = PG_DIAG_MESSAGE_PRIMARY;
static const int reengagement_PG_DIAG_MESSAGE_DETAIL = PG_DIAG_MESSAGE_DETAIL;
