//! A column of the table being filled, found without trusting what leads to it.
//!
//! Following a wrong offset would read memory that is not there and take the database down. So every step is read
//! through the kernel, which reports an address that does not exist instead of faulting, and the object at the end
//! must carry the virtual table of the one class we can store into.

use std::ffi::{c_char, c_void};
use std::mem::transmute;
use std::ptr::{self, NonNull};

use strongroom_plugin_abi::symbols;

use super::known::Offsets;

/// `Field_long::store(longlong, bool is_unsigned)`, a method: the object comes first.
type Store = unsafe extern "C" fn(field: *mut c_void, value: i64, is_unsigned: bool) -> i32;

/// Where the object's virtual table begins, after two words that the C++ ABI puts in front.
const VTABLE_HEADER: usize = 2 * size_of::<usize>();

/// One numeric column of the row being built.
pub(super) struct NumberField {
    object: *mut c_void,
    store: Store,
}

/// The table being filled and its columns.
pub(super) struct Columns<const N: usize> {
    pub(super) table: *mut c_void,
    pub(super) fields: [NumberField; N],
}

/// Finds the table and its first `N` columns from the server's `TABLE_LIST`; `None` where anything is not as expected.
pub(super) fn columns<const N: usize>(tables: *const c_void, offsets: Offsets) -> Option<Columns<N>> {
    let class = symbols::find(c"_ZTV10Field_long")?.as_ptr().addr().checked_add(VTABLE_HEADER)?;
    let store = symbols::find(c"_ZN10Field_long5storeExb")?;
    // SAFETY: the symbol is this method in every server that has it.
    let store = unsafe { transmute::<NonNull<c_void>, Store>(store) };

    let table = read_pointer(tables.wrapping_byte_add(offsets.table))?;
    let array = read_pointer(table.wrapping_byte_add(offsets.fields))?;
    let mut objects = [ptr::null_mut(); N];
    for (at, object) in objects.iter_mut().enumerate() {
        *object = read_pointer(array.wrapping_byte_add(at * size_of::<usize>()))?;
        if read_pointer(*object)?.addr() != class {
            return None;
        }
    }
    Some(Columns { table, fields: objects.map(|object| NumberField { object, store }) })
}

impl NumberField {
    /// Puts a number into the row being built.
    pub(super) fn store(&self, value: u32) {
        // SAFETY: the object is a `Field_long`, as its virtual table showed, and belongs to the statement whose thread
        // this is.
        unsafe { (self.store)(self.object, i64::from(value), true) };
    }
}

/// Reads a pointer at an address that may not exist.
fn read_pointer(from: *const c_void) -> Option<*mut c_void> {
    let mut pointer = ptr::null_mut::<c_void>();
    let bytes = size_of::<*mut c_void>();
    let ours = libc::iovec { iov_base: (&raw mut pointer).cast(), iov_len: bytes };
    let theirs = libc::iovec { iov_base: from.cast_mut(), iov_len: bytes };
    // SAFETY: `ours` is the variable above; the kernel checks `theirs` and fails where nothing can be read.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &raw const ours, 1, &raw const theirs, 1, 0) };
    (read == bytes as isize && !pointer.is_null()).then_some(pointer)
}

/// The server's name for the function that adds the row just built to the result: `schema_table_store_record`.
pub(super) type StoreRecord = unsafe extern "C" fn(thd: *mut c_void, table: *mut c_void) -> c_char;

/// That function; `None` where the server has none of that name.
pub(super) fn store_record() -> Option<StoreRecord> {
    let function = symbols::find(c"_Z25schema_table_store_recordP3THDP5TABLE")?;
    // SAFETY: the symbol is this function in every server that has it.
    Some(unsafe { transmute::<NonNull<c_void>, StoreRecord>(function) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_does_not_exist_is_no_pointer_and_no_crash() {
        let there = 5_usize;
        let to_there = (&raw const there).cast::<c_void>();
        assert_eq!(read_pointer((&raw const to_there).cast()), Some(to_there.cast_mut()));
        assert_eq!(read_pointer(ptr::null()), None);
        assert_eq!(read_pointer(ptr::without_provenance(8)), None);
        assert_eq!(read_pointer(ptr::without_provenance(usize::MAX - 64)), None);
        let to_null = ptr::null::<c_void>();
        assert_eq!(read_pointer((&raw const to_null).cast()), None);
    }

    #[test]
    fn without_a_server_there_are_no_columns() {
        let zeros = [0_usize; 64];
        assert!(columns::<3>(zeros.as_ptr().cast(), Offsets { table: 264, fields: 168 }).is_none());
    }
}
