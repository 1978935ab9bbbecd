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

/* Whether a server that offers a service in one version links it into a library that wants it in another. Once it is linked, nobody
   asks any more. */
static bool is_linked(void *library, const char *name, unsigned offered, void *service) {
  void **place = dlsym(library, name);
  EXPECT(place);
  unsigned wanted = (unsigned)(uintptr_t)*place;
  if (*place != service && (wanted > offered || wanted >> 8 < offered >> 8)) return false;
  *place = service;
  return true;
}

/* What a server does with a library before it uses the plugin inside: 9.7 and 8.4, and the later releases of 8.0, have version 0x010b
   of the plugin interface, and the earlier ones 0x010a. A server of another version uses a copy of the declarations, as large as both
   sides know them. NULL where the library is refused; the caller frees the copy. */
static struct declaration *admitted(void *library, int interface_version, int keyring_version) {
  int *version = dlsym(library, "_mysql_plugin_interface_version_"), *size = dlsym(library, "_mysql_sizeof_struct_st_plugin_");
  char *declared = dlsym(library, "_mysql_plugin_declarations_");
  EXPECT(version && size && declared);
  if (*version < (interface_version & ~0xff) || *version >> 8 > interface_version >> 8) return NULL;
  if (!is_linked(library, "mysql_malloc_service", 0x0100, &allocator)) return NULL;
  if (!is_linked(library, "my_plugin_log_service", 0x0100, &plugin_log)) return NULL;
  int count = 0;
  while (((struct declaration *)(declared + count * *size))->info) count++;
  EXPECT(count == 1);
  struct declaration *used = calloc(count + 1, sizeof *used);
  if (*version == interface_version) {
    memcpy(used, declared, sizeof *used);
  } else {
    size_t known = (size_t)*size < sizeof *used ? (size_t)*size : sizeof *used;
    memcpy(used, declared, known);
  }
  bool is_early = used->flags & 4;
  bool is_keyring = used->type == 10 && used->info->interface_version >= keyring_version &&
                    used->info->interface_version >> 8 <= keyring_version >> 8;
  if (is_early && is_keyring) return used;
  free(used);
  return NULL;
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
  int *size = dlsym(library, "_mysql_sizeof_struct_st_plugin_");
  EXPECT(size && *size == sizeof(struct declaration));
  void **services[2] = {dlsym(library, "mysql_malloc_service"), dlsym(library, "my_plugin_log_service")};
  EXPECT(services[0] && *services[0] == (void *)0x0100 && services[1] && *services[1] == (void *)0x0100);

  /* Servers with another generation of an interface refuse the library, and those that it is for do not. */
  EXPECT(!admitted(library, 0x0200, 0x0101) && !admitted(library, 0x00ff, 0x0101));
  EXPECT(!admitted(library, 0x010b, 0x0200) && !admitted(library, 0x010b, 0x0102));
  *services[0] = (void *)0x0100;
  EXPECT(!is_linked(library, "mysql_malloc_service", 0x0200, &allocator) && !is_linked(library, "mysql_malloc_service", 0x00ff, &allocator));
  struct declaration *plugin = admitted(library, 0x010b, 0x0101), *of_8_0 = admitted(library, 0x010a, 0x0101);
  EXPECT(plugin && of_8_0 && *services[0] == &allocator && *services[1] == &plugin_log);
  EXPECT(!strcmp(plugin->name, "keyring_okv") && plugin->init == of_8_0->init && plugin->info == of_8_0->info);
  EXPECT(plugin->deinit == of_8_0->deinit && plugin->system_variables == of_8_0->system_variables);
  keyring = plugin->info;
  EXPECT(keyring->interface_version == 0x0101);
  struct variable *variable = plugin->system_variables[0];
  EXPECT(!strcmp(variable->name, "conf_dir") && (variable->flags & 0x7f) == 5 && variable->flags & 0x8000 && !plugin->system_variables[1]);

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

  /* Loaded again with a directory, as at a start, by a server of the early 8.0. */
  free(plugin);
  plugin = of_8_0;
  keyring = plugin->info;
  variable = plugin->system_variables[0];
  *variable->value = strcpy(server_malloc(0, strlen(arguments[2]) + 1, 0), arguments[2]);
  EXPECT(plugin->init(&lines) == 0 && count_keys() == 0);
  reading_and_writing();
  EXPECT(count_keys() == 2 && !keyring->remove("key", NULL) && !keyring->remove("secret", "root@localhost"));
  EXPECT(plugin->deinit(&lines) == 0);
  free(plugin);
  server_free(*variable->value);
  EXPECT(outstanding == 0 && dlclose(library) == 0);
  puts("plugin: all as it should be");
  return 0;
}
