//! What wrappers of a store leave to the store inside.

/// The methods of marks and attempts.
macro_rules! pass_on_marks_and_attempts {
    () => {
        async fn read_mark(&self, journal: &JournalId) -> Result<Option<Mark>, StoreError> {
            self.inner.read_mark(journal).await
        }

        async fn write_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
            self.inner.write_mark(journal, mark).await
        }

        async fn lower_mark(&self, journal: &JournalId, mark: &Mark) -> Result<(), StoreError> {
            self.inner.lower_mark(journal, mark).await
        }

        async fn read_attempt(&self, journal: &JournalId) -> Result<Option<Attempt>, StoreError> {
            self.inner.read_attempt(journal).await
        }

        async fn write_attempt(&self, journal: &JournalId, attempt: &Attempt) -> Result<(), StoreError> {
            self.inner.write_attempt(journal, attempt).await
        }
    };
}
pub(crate) use pass_on_marks_and_attempts;
