//! A column of the table being filled, found without trusting what leads to it.
//!
//! Following a wrong offset would read memory that is not there and take the database down. So every step is read
//! through the kernel, which reports an address that does not exist instead of faulting, and the object at the end
//! must carry the virtual table of the class we mean to store into.

use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute;
use std::ptr::{self, NonNull};

use strongroom_plugin_abi::symbols;

use super::known::Offsets;

/// `Field_long::store(longlong, bool is_unsigned)`, a method: the object comes first.
type StoreNumber = unsafe extern "C" fn(field: *mut c_void, value: i64, is_unsigned: bool) -> i32;

/// `Field_varstring::store(const char *, size_t, CHARSET_INFO *)`.
type StoreText = unsafe extern "C" fn(
    field: *mut c_void,
    text: *const c_char,
    bytes: usize,
    character_set: *const c_void,
) -> i32;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A 32-bit number without a sign.
    Number,
    /// Text of at most this many characters.
    Text(u32),
}

impl Kind {
    /// The virtual table of the server's class for such columns.
    const fn class(self) -> &'static CStr {
        match self {
            Self::Number => c"_ZTV10Field_long",
            Self::Text(_) => c"_ZTV15Field_varstring",
        }
    }

    /// The server's object that makes such columns.
    pub(super) const fn type_handler(self) -> &'static CStr {
        match self {
            Self::Number => c"type_handler_ulong",
            Self::Text(_) => c"type_handler_varchar",
        }
    }
}

/// What is put into a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// For [`Kind::Number`].
    Number(u32),
    /// For [`Kind::Text`].
    Text(String),
}

/// Where the object's virtual table begins, after two words that the C++ ABI puts in front.
const VTABLE_HEADER: usize = 2 * size_of::<usize>();

/// The virtual table of what the server puts in the place of a column that the statement does not ask for.
const UNWANTED: &CStr = c"_ZTV12Field_string";

/// One column of the row being built.
struct Field {
    object: *mut c_void,
    /// `None` where the statement does not ask for it.
    store: Option<Store>,
}

/// How a value gets into a column.
#[derive(Clone, Copy)]
enum Store {
    Number(StoreNumber),
    /// With the character set that we write in, UTF-8 of at most three bytes, which is that of these tables.
    Text(StoreText, NonNull<c_void>),
}

/// The table being filled and its columns.
pub(super) struct Columns {
    pub(super) table: *mut c_void,
    fields: Vec<Field>,
}

impl Store {
    fn of(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Number => {
                let method = symbols::find(c"_ZN10Field_long5storeExb")?;
                // SAFETY: the symbol is this method in every server that has it.
                Self::Number(unsafe { transmute::<NonNull<c_void>, StoreNumber>(method) })
            }
            Kind::Text(_) => {
                let method = symbols::find(c"_ZN15Field_varstring5storeEPKcmPK15charset_info_st")?;
                // SAFETY: the symbol is this method in every server that has it.
                let method = unsafe { transmute::<NonNull<c_void>, StoreText>(method) };
                Self::Text(method, symbols::find(c"my_charset_utf8mb3_general_ci")?)
            }
        })
    }
}

/// Finds the table and its first columns from the server's `TABLE_LIST`; `None` where anything is not as expected.
pub(super) fn columns(
    tables: *const c_void,
    offsets: Offsets,
    kinds: impl IntoIterator<Item = Kind>,
) -> Option<Columns> {
    let table = read_pointer(tables.wrapping_byte_add(offsets.table))?;
    let array = read_pointer(table.wrapping_byte_add(offsets.fields))?;
    let find = |(at, kind): (usize, Kind)| {
        let object = read_pointer(array.wrapping_byte_add(at * size_of::<usize>()))?;
        let class = read_pointer(object)?.addr();
        let is = |name: &'static CStr| {
            symbols::find(name).and_then(|table| table.as_ptr().addr().checked_add(VTABLE_HEADER))
                == Some(class)
        };
        if is(kind.class()) {
            Some(Field { object, store: Some(Store::of(kind)?) })
        } else if is(UNWANTED) {
            Some(Field { object, store: None })
        } else {
            None
        }
    };
    let fields = kinds.into_iter().enumerate().map(find).collect::<Option<_>>()?;
    Some(Columns { table, fields })
}

impl Columns {
    /// Puts values into the row being built, in the order of the columns.
    pub(super) fn store(&self, values: &[Value]) {
        for (field, value) in self.fields.iter().zip(values) {
            match (field.store, value) {
                // SAFETY: the object is a `Field_long`, as its virtual table showed, and belongs to the statement whose
                // thread this is.
                (Some(Store::Number(store)), Value::Number(value)) => unsafe {
                    store(field.object, i64::from(*value), true);
                },
                // SAFETY: the object is a `Field_varstring`, as its virtual table showed, and belongs to the statement
                // whose thread this is; it copies the text.
                (Some(Store::Text(store, character_set)), Value::Text(text)) => unsafe {
                    store(field.object, text.as_ptr().cast(), text.len(), character_set.as_ptr());
                },
                (None, _) => {}
                _ => debug_assert!(false, "a value of another kind than its column"),
            }
        }
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
        assert!(
            columns(zeros.as_ptr().cast(), Offsets { table: 264, fields: 168 }, [Kind::Number]).is_none()
        );
    }
}
