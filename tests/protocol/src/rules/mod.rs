//! The rules of the protocol, one file each, named like the code that follows them.

pub(crate) mod catch_up;
pub(crate) mod commit;
pub(crate) mod flush;
pub(crate) mod format;
pub(crate) mod free;
pub(crate) mod init;
pub(crate) mod load;
pub(crate) mod renewal;
pub(crate) mod seal;
pub(crate) mod tick;
