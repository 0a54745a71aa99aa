/**
 * The slug of a title: that of slug_of() of app/catalog/games_by_id.py, apart from empty and reserved ones. The server
 * decides.
 * @param {string} title
 */
export const slugOf = (title) =>
  title
    .normalize("NFKD")
    .replace(/[^\x20-\x7e]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 100)
    .replace(/-+$/, "");
