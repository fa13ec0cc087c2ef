#pragma once

/* ---- Linkage ---------------------------------------------------------------------------------------------------- */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef CONNECT_API /* hidden: two libraries of one process that each carry a copy never call into each other's */
#if defined(__GNUC__) && !defined(_WIN32)
#define CONNECT_API extern __attribute__((visibility("hidden")))
#else
#define CONNECT_API extern
#endif
#endif
#if defined(__GNUC__)
#define CONNECT_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define CONNECT_CHECKED __attribute__((warn_unused_result)) /* to ignore AGAIN is to lose a message */
#else
#define CONNECT_PRINTF(format_at, first_at)
#define CONNECT_CHECKED
#endif
#ifdef __cplusplus
#define CONNECT_DEFAULTS {}
#define CONNECT_CAST(type, pointer) static_cast<type>(pointer)
#define CONNECT_NULL nullptr
#else
#define CONNECT_DEFAULTS {0}
#define CONNECT_CAST(type, pointer) ((type)(pointer))
#define CONNECT_NULL NULL
#endif
#define CONNECT_UNLIMITED 0xFFFFFFFFu /* for a limit or a timeout: none */
