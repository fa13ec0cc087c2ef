#pragma once

/* ---- Feature-test macros: they count only before the first system include --------------------------------------- */
#ifdef CONNECT_IMPLEMENTATION
#if !defined(_POSIX_C_SOURCE) && !defined(__FreeBSD__) /* there it hides all that is beyond it */
#define _POSIX_C_SOURCE 200809L
#endif
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1
#endif
#if defined(__NetBSD__) && !defined(_NETBSD_SOURCE)
#define _NETBSD_SOURCE 1
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE 1
#endif
#endif
