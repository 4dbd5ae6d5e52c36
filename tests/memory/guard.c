/* An allocator that ends the process at the first number that is read or written outside of its
 * array. Kernels work with addresses, so nothing else notices; and they are lucky, mostly.
 *
 * After guard(least, front), each block of at least that many bytes lies in pages of its own, at
 * their end, or with `front` at their beginning; the pages before and after it cannot be touched,
 * nor can those of a block that was freed. Addresses are not used twice.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define SPACE (1UL << 42)

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static char *space;
static _Atomic size_t used;
static size_t least = SIZE_MAX;
static int at_front;

/* In the first page of a block's place; pages: this, one that cannot be touched, the block's, one
 * that cannot be touched. */
typedef struct {
  size_t size, pages;
} Header;

/* Called once, while there is one thread. */
int guard(size_t bytes, int front) {
  if (!space) {
    space = mmap(0, SPACE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) {
      space = 0;
      return errno;
    }
  }
  at_front = front;
  least = bytes;
  return 0;
}

static int ours(void *block) {
  return space && (char *)block >= space && (char *)block < space + SPACE;
}

static size_t rounded(size_t size) { return (size + 15) / 16 * 16; }

static void *place(size_t size, size_t alignment) {
  size_t pages = (size + PAGE - 1) / PAGE;
  size_t from = atomic_fetch_add(&used, (pages + 3) * PAGE);
  if (from + (pages + 3) * PAGE > SPACE) return 0;
  char *header = space + from, *body = header + 2 * PAGE;
  if (mprotect(header, PAGE, PROT_READ | PROT_WRITE)) return 0;
  if (pages && mprotect(body, pages * PAGE, PROT_READ | PROT_WRITE)) return 0;
  *(Header *)header = (Header){size, pages};
  if (at_front || alignment > 16) return body;
  return body + pages * PAGE - rounded(size);
}

static Header *header_of(void *block) {
  /* The page before a block's first one cannot be read: look back for the one before that. */
  char *page = (char *)((uintptr_t)block / PAGE * PAGE);
  return (Header *)(page - 2 * PAGE);
}

static int guarded(size_t size) { return size >= least && size < SPACE / 1024; }

void *malloc(size_t size) {
  return guarded(size) ? place(size, 16) : __libc_malloc(size);
}

void *calloc(size_t count, size_t each) {
  size_t size;
  if (__builtin_mul_overflow(count, each, &size)) {
    errno = ENOMEM;
    return 0;
  }
  return guarded(size) ? place(size, 16) : __libc_calloc(count, each);
}

void free(void *block) {
  if (!ours(block)) {
    __libc_free(block);
    return;
  }
  Header *header = header_of(block);
  size_t length = (header->pages + 2) * PAGE;
  madvise(header, length, MADV_DONTNEED);
  mprotect(header, length, PROT_NONE);
}

void *realloc(void *block, size_t size) {
  if (!block) return malloc(size);
  if (!ours(block)) return __libc_realloc(block, size);
  size_t before = header_of(block)->size;
  void *found = malloc(size);
  if (found) {
    memcpy(found, block, before < size ? before : size);
    free(block);
  }
  return found;
}

void *memalign(size_t alignment, size_t size) {
  if (!guarded(size) || alignment > PAGE) return __libc_memalign(alignment, size);
  return place(size, alignment);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block ? 0 : ENOMEM;
}
