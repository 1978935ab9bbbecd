/* A host that loads keyring_okv.so as mysqld does, and calls every function of the plugin with good arguments and bad ones. The
   structures are written down here a second time, from the interface's facts and not from the library's source.

   plugin LIBRARY FIRST_DIR SECOND_DIR : two endpoint directories, whose wallets are empty. */

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "expect.h"

struct declaration {
  int type;
  struct keyring *info;
  const char *name, *author, *description;
  int license;
  int (*init)(void *);
  int (*check_uninstall)(void *);
  int (*deinit)(void *);
  unsigned version;
  void *status_variables;
  struct variable **system_variables;
  void *reserved;
  unsigned long flags;
};
_Static_assert(sizeof(struct declaration) == 112, "declaration");
_Static_assert(offsetof(struct declaration, init) == 48, "init");
_Static_assert(offsetof(struct declaration, deinit) == 64, "deinit");
_Static_assert(offsetof(struct declaration, system_variables) == 88, "system_variables");
_Static_assert(offsetof(struct declaration, flags) == 104, "flags");

struct keyring {
  int interface_version;
  bool (*store)(const char *, const char *, const char *, const void *, size_t);
  bool (*fetch)(const char *, char **, const char *, void **, size_t *);
  bool (*remove)(const char *, const char *);
  bool (*generate)(const char *, const char *, const char *, size_t);
  void (*iterator_init)(void **);
  void (*iterator_deinit)(void *);
  bool (*iterator_next)(void *, char *, char *);
};
_Static_assert(sizeof(struct keyring) == 64 && offsetof(struct keyring, iterator_next) == 56, "keyring");

struct value {
  int (*value_type)(struct value *);
  const char *(*text)(struct value *, char *, int *);
  int (*real)(struct value *, double *);
  int (*integer)(struct value *, long long *);
  int (*is_unsigned)(struct value *);
  const char *content;
};
struct variable {
  int flags;
  const char *name, *comment;
  int (*check)(void *, struct variable *, void *, struct value *);
  void (*update)(void *, struct variable *, void *, const void *);
  char **value;
  const char *initial;
};
_Static_assert(sizeof(struct variable) == 56 && offsetof(struct variable, value) == 40, "variable");

/* The server's allocator puts a header before what it gives, so that memory of another allocator is noticed. */
static int outstanding;
static const uint64_t mark = 0x6d795f6d616c6c6f;
static void *server_malloc(unsigned key, size_t bytes, int flags) {
  (void)key, (void)flags;
  uint64_t *memory = malloc(16 + bytes);
  memory[0] = mark;
  outstanding++;
  return memory + 2;
}
static void server_free(void *given) {
  if (!given) return;
  uint64_t *memory = (uint64_t *)given - 2;
  EXPECT(memory[0] == mark);
  memory[0] = 0;
  outstanding--;
  free(memory);
}
static struct { void *malloc, *realloc, *claim, *free; } allocator = {server_malloc, NULL, NULL, server_free};

static char said[65536];
static int lines;
static int message(void **plugin, int level, const char *format, ...) {
  EXPECT(plugin && *plugin == (void *)&lines && level >= 0 && level <= 2);
  va_list arguments;
  va_start(arguments, format);
  size_t end = strlen(said);
  vsnprintf(said + end, sizeof said - end, format, arguments);
  va_end(arguments);
  lines++;
  return 0;
}
static struct { void *message; } plugin_log = {message};

/* Whether this was written to the log since the last question. */
static bool was_said(const char *text) {
  bool found = strstr(said, text);
  said[0] = 0;
  return found;
}

static const char *text_of(struct value *value, char *buffer, int *length) {
  if (!value->content) return NULL;
  int bytes = (int)strlen(value->content);
  if (bytes >= *length) {
    *length = bytes;
    return value->content;
  }
  *length = bytes;
  return strcpy(buffer, value->content);
}

/* SET GLOBAL: the server copies what the check left, lets the update take the copy over, and frees the old value. */
static int set(struct variable *variable, const char *content) {
  struct value value = {NULL, text_of, NULL, NULL, NULL, content};
  const char *save = NULL;
  if (variable->check(NULL, variable, &save, &value)) return 1;
  EXPECT(save && !strcmp(save, content));
  char *copy = server_malloc(0, strlen(save) + 1, 0), *old = *variable->value;
  strcpy(copy, save);
  variable->update(NULL, variable, variable->value, &copy);
  server_free(old);
  EXPECT(*variable->value == copy);
  return 0;
}

static struct keyring *keyring;

static int fetch(const char *id, const char *user, char *bytes, size_t *length, char *type) {
  char *kind = (char *)1;
  void *key = (void *)1;
  *length = 7;
  if (keyring->fetch(id, &kind, user, &key, length)) {
    EXPECT(!key && !kind);
    return -1;
  }
  if (!key) {
    EXPECT(!kind && *length == 0);
    return 0;
  }
  memcpy(bytes, key, *length);
  strcpy(type, kind);
  server_free(key);
  server_free(kind);
  return 1;
}

static void reading_and_writing(void) {
  static char bytes[16384], again[16384];
  size_t length;
  char type[8];
  EXPECT(fetch("key", NULL, bytes, &length, type) == 0);
  EXPECT(!keyring->generate("key", "AES", NULL, 32));
  EXPECT(fetch("key", NULL, bytes, &length, type) == 1 && length == 32 && !strcmp(type, "AES"));
  EXPECT(keyring->generate("key", "AES", NULL, 32) && keyring->store("key", "AES", NULL, bytes, 32));
  EXPECT(fetch("key", "", again, &length, type) == 1 && !memcmp(bytes, again, 32));
  memset(bytes, 's', sizeof bytes);
  EXPECT(!keyring->store("secret", "SECRET", "root@localhost", bytes, sizeof bytes));
  EXPECT(fetch("secret", "root@localhost", again, &length, type) == 1 && length == sizeof bytes && !memcmp(bytes, again, length));
  EXPECT(fetch("secret", NULL, again, &length, type) == 0);
  EXPECT(!keyring->remove("secret", "root@localhost") && keyring->remove("secret", "root@localhost"));
  EXPECT(!keyring->store("secret", "SECRET", "root@localhost", bytes, 5));
  EXPECT(keyring->generate("no", "RSA", NULL, 256) && was_said("keys of type \"RSA\" are not kept"));
  EXPECT(keyring->generate("no", "AES", NULL, 5) && keyring->generate("no", NULL, NULL, 32));
  EXPECT(keyring->generate(NULL, "AES", NULL, 32) && keyring->generate("", "AES", NULL, 32));
  EXPECT(keyring->store("no", "SECRET", NULL, NULL, 5) && keyring->store("no", "AES", NULL, bytes, 0));
  EXPECT(keyring->generate("no", "SECRET", NULL, 0) && keyring->store("no", "", NULL, bytes, 5));
  /* A secret of no bytes is there, and is no absent one. */
  EXPECT(!keyring->store("empty", "SECRET", "root@localhost", NULL, 0));
  EXPECT(fetch("empty", "root@localhost", again, &length, type) == 1 && length == 0 && !strcmp(type, "SECRET"));
  EXPECT(keyring->store("empty", "SECRET", "root@localhost", bytes, 5) && !keyring->remove("empty", "root@localhost"));
  EXPECT(fetch("empty", "root@localhost", again, &length, type) == 0);
  EXPECT(keyring->store("no", NULL, NULL, bytes, 5) && keyring->store(NULL, "SECRET", NULL, bytes, 5));
  EXPECT(keyring->remove(NULL, NULL));
  char *kind;
  void *key;
  EXPECT(keyring->fetch(NULL, &kind, NULL, &key, &length) && !key);
  EXPECT(keyring->fetch("key", NULL, NULL, &key, &length));
  EXPECT(keyring->fetch("key", &kind, NULL, NULL, &length));
  EXPECT(keyring->fetch("key", &kind, NULL, &key, NULL));
}

static int count_keys(void) {
  void *iterator = NULL;
  int count = 0;
  char id[1025], user[1025];
  keyring->iterator_init(NULL);
  keyring->iterator_init(&iterator);
  if (!iterator) return -1;
  EXPECT(keyring->iterator_next(iterator, NULL, NULL));
  while (!keyring->iterator_next(iterator, id, user)) count++;
  EXPECT(keyring->iterator_next(iterator, id, user) && keyring->iterator_next(NULL, id, user));
  keyring->iterator_deinit(iterator);
  keyring->iterator_deinit(NULL);
  return count;
}

int main(int count, char **arguments) {
  EXPECT(count == 4);
  void *library = dlopen(arguments[1], RTLD_NOW);
  if (!library) fprintf(stderr, "%s\n", dlerror());
  EXPECT(library);
  EXPECT(!dlsym(library, "list_components"));
  int *version = dlsym(library, "_mysql_plugin_interface_version_"), *size = dlsym(library, "_mysql_sizeof_struct_st_plugin_");
  struct declaration *plugin = dlsym(library, "_mysql_plugin_declarations_");
  EXPECT(version && *version >> 8 == 1 && size && *size == sizeof *plugin && plugin);
  EXPECT(plugin->type == 10 && !strcmp(plugin->name, "keyring_okv") && plugin->flags & 4 && plugin[1].name == NULL);
  keyring = plugin->info;
  EXPECT(keyring->interface_version == 0x0101);
  struct variable *variable = plugin->system_variables[0];
  EXPECT(!strcmp(variable->name, "conf_dir") && (variable->flags & 0x7f) == 5 && variable->flags & 0x8000 && !plugin->system_variables[1]);

  void **services[2] = {dlsym(library, "mysql_malloc_service"), dlsym(library, "my_plugin_log_service")};
  EXPECT(services[0] && *services[0] == (void *)0x0100 && services[1] && *services[1] == (void *)0x0100);
  *services[0] = &allocator;
  *services[1] = &plugin_log;

  /* Without a directory the plugin says so, and the server runs. */
  *variable->value = strcpy(server_malloc(0, 1, 0), variable->initial);
  EXPECT(plugin->init(&lines) == 0 && lines == 1 && was_said("please point the keyring_okv_conf_dir variable"));
  char bytes[16384], type[8];
  size_t length;
  EXPECT(fetch("key", NULL, bytes, &length, type) == -1 && count_keys() == -1);
  EXPECT(set(variable, "") == 1 && set(variable, NULL) == 1 && set(variable, "/nonexistent") == 1);

  EXPECT(set(variable, arguments[2]) == 0);
  reading_and_writing();
  EXPECT(count_keys() == 2);
  /* A bad directory is refused, and the good one stays. */
  EXPECT(set(variable, "/nonexistent") == 1 && !strcmp(*variable->value, arguments[2]) && count_keys() == 2);
  EXPECT(set(variable, arguments[3]) == 0 && count_keys() == 0);
  EXPECT(fetch("key", NULL, bytes, &length, type) == 0);
  EXPECT(set(variable, arguments[2]) == 0 && fetch("key", NULL, bytes, &length, type) == 1);
  EXPECT(was_said("keys are kept by 127.0.0.1:") && !was_said("several servers"));
  EXPECT(!keyring->remove("key", NULL) && !keyring->remove("secret", "root@localhost") && count_keys() == 0);

  /* Two servers' keys in one place are worth a warning. */
  const char *one = "INNODBKey-00000000-0000-11f0-8000-000000000001-1", *two = "INNODBKey-00000000-0000-11f0-8000-000000000002-1";
  EXPECT(!keyring->generate(one, "AES", NULL, 32) && set(variable, arguments[2]) == 0 && !was_said("several servers"));
  EXPECT(!keyring->generate(two, "AES", NULL, 32) && set(variable, arguments[2]) == 0 && was_said("several servers"));
  EXPECT(!keyring->remove(one, NULL) && !keyring->remove(two, NULL));

  EXPECT(plugin->deinit(&lines) == 0);
  server_free(*variable->value);
  *variable->value = NULL;
  EXPECT(outstanding == 0);
  EXPECT(fetch("key", NULL, bytes, &length, type) == -1);

  /* Loaded again with a directory, as at a start. */
  *variable->value = strcpy(server_malloc(0, strlen(arguments[2]) + 1, 0), arguments[2]);
  EXPECT(plugin->init(&lines) == 0 && count_keys() == 0);
  EXPECT(plugin->deinit(&lines) == 0);
  server_free(*variable->value);
  EXPECT(outstanding == 0 && dlclose(library) == 0);
  puts("plugin: all as it should be");
  return 0;
}
