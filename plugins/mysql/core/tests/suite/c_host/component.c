/* A host that loads component_keyring_kmip.so as mysqld does, and calls every function of every service with good arguments and bad
   ones. The structures are written down here a second time, from the interface's facts and not from the library's source.

   component LIBRARY PLUGIN_DIR : PLUGIN_DIR holds component_keyring_kmip.cnf, whose endpoint's wallet is empty. */

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"

struct provided { const char *name; void *table; };
struct required { const char *name; void **place; };
struct metadata { const char *key; const char *value; };
struct component {
  const char *name;
  struct provided *provides;
  struct required *requires;
  struct metadata *metadata;
  int (*init)(void);
  int (*deinit)(void);
};
_Static_assert(sizeof(struct component) == 48, "component");
_Static_assert(offsetof(struct component, provides) == 8, "provides");
_Static_assert(offsetof(struct component, requires) == 16, "requires");
_Static_assert(offsetof(struct component, init) == 32, "init");
_Static_assert(offsetof(struct component, deinit) == 40, "deinit");

struct aes {
  int (*size)(size_t, const char *, size_t, size_t *);
  int (*encrypt)(const char *, const char *, const char *, size_t, const unsigned char *, int, const unsigned char *, size_t,
                 unsigned char *, size_t, size_t *);
  int (*decrypt)(const char *, const char *, const char *, size_t, const unsigned char *, int, const unsigned char *, size_t,
                 unsigned char *, size_t, size_t *);
};
struct generator { int (*generate)(const char *, const char *, const char *, size_t); };
struct load { int (*load)(const char *, const char *); };
struct status { int (*is_initialized)(void); };
struct iterator {
  int (*init)(void **);
  int (*deinit)(void *);
  int (*is_valid)(void *);
  int (*next)(void *);
  int (*lengths)(void *, size_t *, size_t *);
  int (*get)(void *, char *, size_t, char *, size_t);
};
struct reader {
  int (*init)(const char *, const char *, void **);
  int (*deinit)(void *);
  int (*lengths)(void *, size_t *, size_t *);
  int (*fetch)(void *, unsigned char *, size_t, size_t *, char *, size_t, size_t *);
};
struct writer {
  int (*store)(const char *, const char *, const unsigned char *, size_t, const char *);
  int (*remove)(const char *, const char *);
};
struct native_key_id { int (*identifier)(const char *, const char *, char *, size_t); };
_Static_assert(sizeof(struct aes) == 24 && offsetof(struct aes, decrypt) == 16, "aes");
_Static_assert(sizeof(struct iterator) == 48 && offsetof(struct iterator, get) == 40, "iterator");
_Static_assert(sizeof(struct reader) == 32 && offsetof(struct reader, fetch) == 24, "reader");
_Static_assert(sizeof(struct writer) == 16 && offsetof(struct writer, remove) == 8, "writer");

static struct aes *aes;
static struct generator *generator;
static struct load *load;
static struct status *status;
static struct iterator *keys, *rows;
static struct reader *reader;
static struct writer *writer;
static struct native_key_id *native_key_id;

static void *service(struct component *component, const char *name) {
  char full[128];
  snprintf(full, sizeof full, "%s.component_keyring_kmip", name);
  for (struct provided *provided = component->provides; provided->name; provided++)
    if (!strcmp(provided->name, full)) return provided->table;
  fprintf(stderr, "no service %s\n", full);
  exit(1);
}

/* Fetches a key as the server does: with room for exactly what was announced. */
static int fetch(const char *id, const char *owner, unsigned char *bytes, size_t *length, char *type) {
  void *handle = (void *)1;
  if (reader->init(id, owner, &handle)) return -1;
  if (!handle) return 0;
  size_t data_length = 0, type_length = 0;
  EXPECT(reader->lengths(handle, &data_length, &type_length) == 0);
  EXPECT(data_length <= 16384 && type_length <= 6);
  unsigned char *data = malloc(data_length);
  char *kind = malloc(type_length);
  EXPECT(reader->fetch(handle, data, data_length, length, kind, type_length, &type_length) == 0);
  EXPECT(*length == data_length);
  memcpy(bytes, data, data_length);
  memcpy(type, kind, type_length);
  type[type_length] = 0;
  EXPECT(reader->deinit(handle) == 0);
  free(data);
  free(kind);
  return 1;
}

static void before_loading(void) {
  void *handle = NULL;
  EXPECT(status->is_initialized() == 0);
  EXPECT(reader->init("key", NULL, &handle) == 1 && handle == NULL);
  EXPECT(generator->generate("key", NULL, "AES", 32) == 1);
  EXPECT(writer->store("key", NULL, (const unsigned char *)"x", 1, "SECRET") == 1);
  EXPECT(writer->remove("key", NULL) == 1);
  EXPECT(keys->init(&handle) == 1);
  EXPECT(load->load(NULL, NULL) == 1);
  EXPECT(load->load("/nonexistent", NULL) == 1);
  EXPECT(load->load("/nonexistent", "/nonexistent/") == 1);
  EXPECT(status->is_initialized() == 0);
}

static int count_rows(const char *wanted, char *found, size_t room) {
  void *handle = NULL;
  int count = 0;
  EXPECT(rows->init(NULL) == 1);
  EXPECT(rows->init(&handle) == 0 && handle);
  while (rows->is_valid(handle)) {
    size_t key_length = 0, value_length = 0;
    EXPECT(rows->lengths(handle, &key_length, &value_length) == 0);
    char *key = malloc(key_length), *value = malloc(value_length);
    EXPECT(rows->get(handle, key, key_length - 1, value, value_length) == 1);
    EXPECT(rows->get(handle, key, key_length, value, value_length - 1) == 1);
    EXPECT(rows->get(handle, NULL, 0, NULL, 0) == 1);
    EXPECT(rows->get(handle, key, key_length, value, value_length) == 0);
    EXPECT(strlen(key) + 1 == key_length && strlen(value) + 1 == value_length);
    if (!strcmp(key, wanted)) snprintf(found, room, "%s", value);
    free(key);
    free(value);
    count++;
    if (rows->next(handle)) break;
  }
  size_t length = 0;
  EXPECT(rows->is_valid(handle) == 0 && rows->next(handle) == 1);
  EXPECT(rows->lengths(handle, &length, &length) == 1);
  EXPECT(rows->lengths(NULL, &length, &length) == 1);
  EXPECT(rows->is_valid(NULL) == 0 && rows->next(NULL) == 1 && rows->deinit(NULL) == 1);
  EXPECT(rows->deinit(handle) == 0);
  return count;
}

static void reading_and_writing(void) {
  unsigned char bytes[16384], again[16384];
  size_t length = 0;
  char type[8];
  EXPECT(fetch("key", NULL, bytes, &length, type) == 0);
  EXPECT(generator->generate("key", NULL, "AES", 32) == 0);
  EXPECT(fetch("key", NULL, bytes, &length, type) == 1 && length == 32 && !strcmp(type, "AES"));
  EXPECT(generator->generate("key", NULL, "AES", 32) == 1);
  EXPECT(writer->store("key", NULL, bytes, 32, "AES") == 1);
  EXPECT(fetch("key", "", again, &length, type) == 1 && !memcmp(bytes, again, 32));
  EXPECT(fetch("key", "root@localhost", again, &length, type) == 0);

  memset(bytes, 'x', sizeof bytes);
  EXPECT(writer->store("secret", "root@localhost", bytes, 16384, "SECRET") == 0);
  EXPECT(fetch("secret", "root@localhost", again, &length, type) == 1);
  EXPECT(length == 16384 && !strcmp(type, "SECRET") && !memcmp(bytes, again, length));
  EXPECT(writer->remove("secret", "root@localhost") == 0);
  EXPECT(fetch("secret", "root@localhost", again, &length, type) == 0);
  EXPECT(writer->store("secret", "root@localhost", bytes, 5, "SECRET") == 0);
  EXPECT(fetch("secret", "root@localhost", again, &length, type) == 1 && length == 5);
  EXPECT(writer->remove("secret", NULL) == 1);

  /* A secret of no bytes is there, and is no absent one. */
  EXPECT(writer->store("empty", "root@localhost", NULL, 0, "SECRET") == 0);
  EXPECT(fetch("empty", "root@localhost", again, &length, type) == 1 && length == 0 && !strcmp(type, "SECRET"));
  EXPECT(writer->store("empty", "root@localhost", bytes, 5, "SECRET") == 1);
  EXPECT(writer->remove("empty", "root@localhost") == 0);
  EXPECT(fetch("empty", "root@localhost", again, &length, type) == 0);

  EXPECT(generator->generate("no", NULL, "RSA", 256) == 1);
  EXPECT(generator->generate("no", NULL, "AES", 31) == 1);
  EXPECT(generator->generate("no", NULL, "AES", (size_t)-1) == 1);
  EXPECT(generator->generate("no", NULL, NULL, 32) == 1);
  EXPECT(generator->generate(NULL, NULL, "AES", 32) == 1);
  EXPECT(generator->generate("", NULL, "AES", 32) == 1);
  EXPECT(generator->generate("\xff\xfe", NULL, "AES", 32) == 1);
  EXPECT(writer->store("no", NULL, NULL, 32, "AES") == 1);
  EXPECT(writer->store("no", NULL, bytes, 0, "AES") == 1);
  EXPECT(generator->generate("no", NULL, "SECRET", 0) == 1);
  EXPECT(generator->generate("no", NULL, "SECRET", 16385) == 1);
  EXPECT(generator->generate("no", NULL, "", 16) == 1);
  EXPECT(writer->store("no", NULL, bytes, 16385, "SECRET") == 1);
  EXPECT(writer->store("no", NULL, bytes, 5, "") == 1);
  EXPECT(writer->store("", NULL, bytes, 5, "SECRET") == 1);
  EXPECT(writer->remove("", NULL) == 1);
  EXPECT(writer->store("no", NULL, bytes, (size_t)-1, "SECRET") == 1);
  EXPECT(writer->store("no", NULL, bytes, 5, NULL) == 1);
  EXPECT(writer->remove(NULL, NULL) == 1 && writer->remove("no", NULL) == 1);

  void *handle = NULL;
  EXPECT(reader->init("key", NULL, NULL) == 1);
  /* The server's own component calls these absent, and not wrong. */
  handle = (void *)1;
  EXPECT(reader->init(NULL, NULL, &handle) == 0 && handle == NULL);
  handle = (void *)1;
  EXPECT(reader->init("", NULL, &handle) == 0 && handle == NULL);
  EXPECT(reader->lengths(NULL, &length, &length) == 1 && reader->deinit(NULL) == 1);
  EXPECT(reader->init("key", NULL, &handle) == 0 && handle);
  EXPECT(reader->lengths(handle, NULL, &length) == 1 && reader->lengths(handle, &length, NULL) == 1);
  EXPECT(reader->fetch(handle, bytes, 31, &length, type, 3, &length) == 1);
  EXPECT(reader->fetch(handle, bytes, 32, &length, type, 2, &length) == 1);
  EXPECT(reader->fetch(handle, NULL, 32, &length, type, 3, &length) == 1);
  EXPECT(reader->fetch(handle, bytes, 32, NULL, NULL, 3, NULL) == 1);
  EXPECT(reader->fetch(NULL, bytes, 32, &length, type, 3, &length) == 1);
  memcpy(type, "ZZZZZZZ", 8);
  EXPECT(reader->fetch(handle, bytes, 32, NULL, type, 3, NULL) == 0);
  EXPECT(!memcmp(type, "AESZZZZ", 8)); /* nothing is written behind the type */
  EXPECT(reader->deinit(handle) == 0);
}

static void listing(void) {
  void *handle = NULL;
  int seen = 0;
  size_t id_length = 0, owner_length = 0;
  EXPECT(keys->init(NULL) == 1);
  EXPECT(keys->init(&handle) == 0 && handle);
  EXPECT(keys->lengths(handle, NULL, NULL) == 1);
  EXPECT(keys->get(handle, NULL, 0, NULL, 0) == 1);
  while (keys->is_valid(handle)) {
    char id[64], owner[64], identifier[64];
    EXPECT(keys->lengths(handle, &id_length, &owner_length) == 0);
    EXPECT(keys->get(handle, id, id_length - 1, owner, owner_length + 1) == 1);
    memset(id, 'Z', sizeof id);
    EXPECT(keys->get(handle, id, id_length + 1, owner, owner_length + 1) == 0);
    EXPECT(strlen(id) == id_length && strlen(owner) == owner_length && id[id_length + 1] == 'Z');
    if (!strcmp(id, "key")) seen |= owner_length == 0 ? 1 : 8;
    if (!strcmp(id, "secret")) seen |= !strcmp(owner, "root@localhost") ? 2 : 8;
    EXPECT(native_key_id->identifier(id, owner, identifier, sizeof identifier) == 0);
    EXPECT(strlen(identifier) > 0);
    EXPECT(native_key_id->identifier(id, owner, identifier, 3) == 1 && identifier[0] == 0);
    EXPECT(native_key_id->identifier(id, owner, NULL, 64) == 1);
    if (keys->next(handle)) break;
  }
  EXPECT(seen == 3);
  EXPECT(keys->is_valid(handle) == 0 && keys->next(handle) == 1);
  EXPECT(keys->lengths(handle, &id_length, &owner_length) == 1);
  EXPECT(keys->deinit(handle) == 0 && keys->deinit(NULL) == 1 && keys->is_valid(NULL) == 0 && keys->next(NULL) == 1);
  char identifier[64] = "something";
  EXPECT(native_key_id->identifier("absent", NULL, identifier, sizeof identifier) == 1 && identifier[0] == 0);
  EXPECT(native_key_id->identifier(NULL, NULL, identifier, sizeof identifier) == 1);
}

/* What component_keyring_file of MySQL 9.7.4 makes of 37 times 't' under a key of 32 bytes of value 1. */
static void encrypting_as_the_servers_own(void) {
  const char *expected[][2] = {
      {"cbc", "355bf349231dcca0493e60754a316d0be98e3ede8aa2083ec6119b81b2e727cf9ad7f5a5bec1a0c0db4f736a9cfab03c"},
      {"cfb1", "5abeb8bf9bd5fd8c55a3922fb8ef58eba06ed03560084d503ce8b8e9808609348f0a97a774"},
      {"cfb8", "5fcd015fb858edeeda516e474dbfbd38b1004cd5b4ce7b83bcf40fd973e7567513d63206bd"},
      {"cfb128", "5f134ce731d15c4117d3764ef207e0a572b5470fdc994c5a6d0733be284df2a8e413bc206c"},
      {"ofb", "5f134ce731d15c4117d3764ef207e0a5b7755cd593bc8aee4e06047278bcf21c18f34b9e9e"},
  };
  const unsigned char *iv = (const unsigned char *)"0123456789abcdef";
  unsigned char key[32], text[37], encrypted[64];
  memset(key, 1, sizeof key);
  memset(text, 't', sizeof text);
  EXPECT(writer->store("ones", NULL, key, sizeof key, "AES") == 0);
  for (int i = 0; i < 5; i++) {
    size_t length = 0;
    char shown[2 * sizeof encrypted + 1] = "";
    EXPECT(aes->encrypt("ones", NULL, expected[i][0], 256, iv, 1, text, sizeof text, encrypted, sizeof encrypted, &length) == 0);
    for (size_t at = 0; at < length; at++) sprintf(shown + 2 * at, "%02x", encrypted[at]);
    EXPECT(!strcmp(shown, expected[i][1]));
  }
  EXPECT(writer->remove("ones", NULL) == 0);
}

static void encrypting(void) {
  const char *modes[] = {"cbc", "cfb1", "cfb8", "cfb128", "ofb"};
  unsigned char iv[16] = "0123456789abcdef", text[37], encrypted[64], back[64];
  size_t size = 0, length = 0;
  memset(text, 't', sizeof text);
  for (int i = 0; i < 5; i++) {
    EXPECT(aes->size(sizeof text, modes[i], 256, &size) == 0 && size == (i ? 37u : 48u));
    EXPECT(aes->encrypt("key", NULL, modes[i], 256, iv, 1, text, sizeof text, encrypted, size, &length) == 0 && length == size);
    EXPECT(memcmp(text, encrypted, sizeof text));
    EXPECT(aes->decrypt("key", NULL, modes[i], 256, iv, 1, encrypted, length, back, sizeof back, &length) == 0);
    EXPECT(length == sizeof text && !memcmp(text, back, sizeof text));
    EXPECT(aes->encrypt("key", NULL, modes[i], 256, iv, 1, text, sizeof text, encrypted, size - 1, &length) == 1);
    memcpy(back, text, sizeof text); /* in place */
    EXPECT(aes->encrypt("key", NULL, modes[i], 256, iv, 1, back, sizeof text, back, sizeof back, &length) == 0);
    EXPECT(!memcmp(back, encrypted, size));
  }
  EXPECT(aes->size(5, "ecb", 256, &size) == 1 && aes->size(5, "cbc", 128, &size) == 1);
  EXPECT(aes->size(5, NULL, 256, &size) == 1 && aes->size(5, "cbc", 256, NULL) == 1);
  EXPECT(aes->encrypt("absent", NULL, "cbc", 256, iv, 1, text, 5, encrypted, 64, &length) == 1);
  EXPECT(aes->encrypt("secret", "root@localhost", "cbc", 256, iv, 1, text, 5, encrypted, 64, &length) == 1);
  EXPECT(aes->encrypt("key", NULL, "cbc", 256, NULL, 1, text, 5, encrypted, 64, &length) == 1);
  EXPECT(aes->encrypt("key", NULL, "cbc", 256, iv, 1, NULL, 5, encrypted, 64, &length) == 1);
  EXPECT(aes->encrypt("key", NULL, "cbc", 256, iv, 1, text, 5, NULL, 64, &length) == 1);
  EXPECT(aes->encrypt("key", NULL, "cbc", 256, iv, 0, text, 5, encrypted, 64, &length) == 1);
  EXPECT(aes->decrypt("key", NULL, "cbc", 256, iv, 1, text, 5, back, 64, &length) == 1);
}

static void *many_fetches(void *unused) {
  (void)unused;
  for (int i = 0; i < 50; i++) {
    unsigned char bytes[16384];
    size_t length;
    char type[8];
    EXPECT(fetch("first use", NULL, bytes, &length, type) == 1 && length == 32);
    EXPECT(fetch("absent", NULL, bytes, &length, type) == 0);
  }
  return NULL;
}

static void threads(void) {
  pthread_t threads[8];
  EXPECT(generator->generate("first use", NULL, "AES", 32) == 0);
  for (int i = 0; i < 8; i++) EXPECT(pthread_create(&threads[i], NULL, many_fetches, NULL) == 0);
  for (int i = 0; i < 8; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
}

/* What --daemonize does: the process that loaded the keyring ends, with its sessions, and its child is the server. */
static void daemonize(struct component *component) {
  int pipes[2];
  char go = 0;
  unsigned char before[16384];
  size_t before_length;
  char before_type[8];
  EXPECT(fetch("key", NULL, before, &before_length, before_type) == 1);
  EXPECT(pipe(pipes) == 0);
  pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    unsigned char bytes[16384];
    size_t length;
    char type[8];
    close(pipes[1]);
    EXPECT(fetch("absent", NULL, bytes, &length, type) == 0);
    EXPECT(read(pipes[0], &go, 1) == 0); /* the parent has closed its end */
    EXPECT(status->is_initialized() == 1);
    EXPECT(fetch("key", NULL, bytes, &length, type) == 1 && length == before_length && !memcmp(bytes, before, length));
    EXPECT(generator->generate("after the fork", NULL, "AES", 32) == 0);
    EXPECT(fetch("after the fork", NULL, bytes, &length, type) == 1);
    EXPECT(component->deinit() == 0);
    exit(0);
  }
  close(pipes[0]);
  EXPECT(component->deinit() == 0);
  close(pipes[1]);
  int ended = 0;
  EXPECT(waitpid(child, &ended, 0) == child && WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

int main(int count, char **arguments) {
  EXPECT(count == 3);
  char text[256] = "";
  void *library = dlopen(arguments[1], RTLD_NOW);
  if (!library) fprintf(stderr, "%s\n", dlerror());
  EXPECT(library);
  struct component *(*list)(void) = (struct component * (*)(void)) dlsym(library, "list_components");
  EXPECT(list);
  EXPECT(!dlsym(library, "_mysql_plugin_declarations_"));
  struct component *component = list();
  EXPECT(!strcmp(component->name, "component_keyring_kmip"));
  int required = 0;
  for (struct required *one = component->requires; one->name; one++, required++) {
    EXPECT(!strcmp(one->name, "registry"));
    *one->place = &text;
  }
  EXPECT(required == 1);
  EXPECT(component->metadata->key && component->metadata->value);
  aes = service(component, "keyring_aes");
  generator = service(component, "keyring_generator");
  load = service(component, "keyring_load");
  keys = service(component, "keyring_keys_metadata_iterator");
  status = service(component, "keyring_component_status");
  rows = service(component, "keyring_component_metadata_query");
  reader = service(component, "keyring_reader_with_status");
  writer = service(component, "keyring_writer");
  native_key_id = service(component, "mysql_keyring_native_key_id");

  EXPECT(component->init() == 0);
  before_loading();
  EXPECT(count_rows("Component_status", text, sizeof text) == 6 && !strcmp(text, "Disabled"));
  EXPECT(load->load(arguments[2], NULL) == 0);
  EXPECT(status->is_initialized() == 1);
  EXPECT(count_rows("Component_status", text, sizeof text) == 13 && !strcmp(text, "Active"));
  EXPECT(load->load("/nonexistent", NULL) == 1);
  EXPECT(status->is_initialized() == 1);
  reading_and_writing();
  listing();
  encrypting();
  encrypting_as_the_servers_own();
  threads();
  EXPECT(load->load(arguments[2], "") == 0);
  daemonize(component);
  EXPECT(status->is_initialized() == 0);
  EXPECT(component->init() == 0 && load->load(arguments[2], NULL) == 0);
  EXPECT(writer->remove("after the fork", NULL) == 0);
  EXPECT(writer->remove("first use", NULL) == 0 && writer->remove("key", NULL) == 0);
  EXPECT(writer->remove("secret", "root@localhost") == 0);
  EXPECT(component->deinit() == 0);
  EXPECT(dlclose(library) == 0);
  puts("component: all as it should be");
  return 0;
}
