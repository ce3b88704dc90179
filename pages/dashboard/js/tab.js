// The title and icon of the browser's tab. Both show the number of open alerts.

let title = 'Reengagement';
let number = 0;

export function setTitle(text) {
  title = text;
  show();
}

export function setNumber(open) {
  if (open === number) return;
  number = open;
  show();
  // Files instead of a drawing, because the content security policy allows no data: address.
  const icon = number === 0 ? 'icon.svg' : `icons/${number > 9 ? 'more' : number}.svg`;
  document.querySelector('link[rel=icon]').href = `/dashboard/${icon}`;
}

function show() {
  document.title = number === 0 ? title : `(${number}) ${title}`;
}
