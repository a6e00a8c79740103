#ifndef VSTACK_CISAL_SHIM_H
#define VSTACK_CISAL_SHIM_H
#include <isa-l.h>
#endif
