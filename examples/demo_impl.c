#define CONNECT_IMPLEMENTATION
#include "telemetry.connect.h"
