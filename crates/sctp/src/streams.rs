//! State for each stream, made when first used.

/// Streams whose state is made together: in WebRTC mostly one of two is used, for either side has ids of its own.
const PAGE: usize = 2;

/// A table indexed by stream id that costs nothing for ids never used.
#[derive(Debug)]
pub(crate) struct StreamTable<T> {
    pages: Vec<Option<Box<[T; PAGE]>>>,
}

impl<T> Default for StreamTable<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T: Default> StreamTable<T> {
    #[inline]
    pub(crate) fn get(&self, id: u16) -> Option<&T> {
        let page = self.pages.get(usize::from(id) / PAGE)?.as_ref()?;
        page.get(usize::from(id) % PAGE)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u16) -> Option<&mut T> {
        let page = self.pages.get_mut(usize::from(id) / PAGE)?.as_mut()?;
        page.get_mut(usize::from(id) % PAGE)
    }

    #[inline]
    pub(crate) fn entry(&mut self, id: u16) -> &mut T {
        let (page, slot) = (usize::from(id) / PAGE, usize::from(id) % PAGE);
        if self.pages.get(page).is_none_or(Option::is_none) {
            self.make(page);
        }
        #[allow(clippy::indexing_slicing)] // it is there or was just made
        let page = self.pages[page].get_or_insert_with(|| Box::new(Self::page()));
        #[allow(clippy::indexing_slicing)] // a remainder
        &mut page[slot]
    }

    fn page() -> [T; PAGE] {
        core::array::from_fn(|_| T::default())
    }

    #[cold]
    fn make(&mut self, page: usize) {
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        if let Some(slot) = self.pages.get_mut(page) {
            *slot = Some(Box::new(Self::page()));
        }
    }

    /// Ids and states of every page in use.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u16, &mut T)> {
        self.pages.iter_mut().enumerate().filter_map(|(n, page)| Some((n, page.as_mut()?))).flat_map(|(n, page)| {
            page.iter_mut().enumerate().map(move |(slot, value)| ((n * PAGE + slot) as u16, value))
        })
    }
}
