#ifndef VSTACK_CSQLITE_SHIM_H
#define VSTACK_CSQLITE_SHIM_H
#include <sqlite3.h>
#endif
