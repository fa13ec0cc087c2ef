#pragma once

/* ---- Version ---------------------------------------------------------------------------------------------------- */
#define CONNECT_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */
#define CONNECT_VERSION_STRING "0.1.0"
#define CONNECT_GEN_API 1 /* what generated code was made for; another number there is an #error "Regenerate" */
