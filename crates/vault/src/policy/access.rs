//! Permission to reach one object, as a value.

use std::marker::PhantomData;

use strongroom_kmip::object::ManagedObject as KmipObject;
use strongroom_kmip::types::ObjectType;

use crate::barrier::Record;
use crate::objects::ManagedObject;
use crate::objects::record::StoredObject;
use crate::operations::Fault;
use crate::store::{RecordId, RecordVersion, WalletId};

/// What an [`Access`] permits.
pub(crate) trait Permission {}

/// Permission to read attributes. The other permissions include it.
pub(crate) struct ReadAttributes;

/// Permission to take the key.
pub(crate) struct ReadMaterial;

/// Permission to change the object.
pub(crate) struct Modify;

impl Permission for ReadAttributes {}
impl Permission for ReadMaterial {}
impl Permission for Modify {}

/// An object, opened under the permission `P`. Only [`super::Policy`] makes one.
pub(crate) struct Access<P> {
    id: RecordId,
    wallet: WalletId,
    version: RecordVersion,
    object: StoredObject,
    permission: PhantomData<P>,
}

impl<P: Permission> Access<P> {
    pub(super) fn new(record: Record) -> Result<Self, Fault> {
        let Record { id, wallet, version, opened, .. } = record;
        let object = StoredObject::parse(opened).map_err(|error| unreadable(id, &error))?;
        Ok(Self { id, wallet, version, object, permission: PhantomData })
    }

    /// The object's Unique Identifier.
    pub(crate) fn id(&self) -> RecordId {
        self.id
    }

    pub(super) fn wallet(&self) -> WalletId {
        self.wallet
    }

    pub(super) fn version(&self) -> RecordVersion {
        self.version
    }

    /// What the object is.
    pub(crate) fn object_type(&self) -> ObjectType {
        self.object.object_type()
    }

    /// Whether it was never handed out.
    pub(crate) fn is_fresh(&self) -> bool {
        self.object.is_fresh()
    }
}

impl Access<ReadAttributes> {
    /// The object without its key.
    ///
    /// # Errors
    /// [`Fault::RecordUnreadable`].
    pub(crate) fn into_attributes(self) -> Result<ManagedObject, Fault> {
        self.object.without_material().map_err(|error| unreadable(self.id, &error))
    }
}

impl Access<ReadMaterial> {
    /// The key, unless it was destroyed.
    ///
    /// # Errors
    /// [`Fault::RecordUnreadable`].
    pub(crate) fn material(&self) -> Result<Option<KmipObject>, Fault> {
        self.object.material().map_err(|error| unreadable(self.id, &error))
    }
}

impl Access<Modify> {
    /// The whole object, to be changed and kept again under [`Access::version`].
    pub(super) fn into_object(self) -> Result<ManagedObject, Fault> {
        self.object.whole().map_err(|error| unreadable(self.id, &error))
    }
}

pub(super) fn unreadable(id: RecordId, error: &crate::objects::record::RecordError) -> Fault {
    Fault::RecordUnreadable { id, problem: error.to_string() }
}
