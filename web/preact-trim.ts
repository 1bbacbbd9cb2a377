// What Dozor's page never asks of Preact and of its signals: hydration, suspense, components that are classes, contexts, portals, markup
// made of text, MathML; signals as text or as properties, where the page always reads their values.

import type { Plugin } from "vite";
import { all, trimming, type Edit } from "./trim.ts";

const PREACT: Edit[] = [
  // The body is empty when the page is drawn into it: there is nothing to hydrate, nor in the way.
  ...all(
    "",
    '128&u.__u&&(c=32&u.__u,s=u.__c.__z)&&(r.__u|=c,p=o=[],8==s.nodeType?l=B(s,o):o.push(s),l=o[0]||l),',
    "p&&p.some(g),",
    "!u&&(i=t.__c)&&(i=i.__z)&&(f=B(i,o=[]))&&(i==t.__e&&o.some(g),g(f),g(i)),",
    "l&&(n.__m&&n.__m(r,o),l=!1),",
    'l&&"function"!=typeof k||',
    "l&&t.data==x||",
  ),
  [',o)for(s=0;s<o.length;s++)if((k=o[s])&&(C?k.localName==C:3==k.nodeType)){t=k,o[s]=null;break}', ");"],
  [',o&&o.some(g)),l&&"textarea"!=C||(s="value"', '),(s="value"'],
  ["i?null:r.firstChild?d.call(r.childNodes):null,f,i?i.__e:r.firstChild,u,o", "null,f,i&&i.__e,u,o"],
  [
    'if(a="template"==C&&t.content||t,o="textarea"==C&&null!=x.defaultValue?null:o&&d.call(a.childNodes),!l&&o)for($={},s=0;s<t.attributes.length;s++)$[(k=t.attributes[s]).name]=k.value;',
    "a=t;",
  ],
  ["o?o[0]:u.__k&&S(u,0)", "u.__k&&S(u,0)"],
  [
    'if(e.length=v,r.__v=null,c||o)if(t&&t.then){if(r.__u|=128|c,o){for(~(T=o.indexOf(l||void 0))||(T=o.length);(N=o[T-1])&&8==N.nodeType;)T--;for(;T<o.length;T++)if(N=o[T])if(o[T]=null,O){if(N==P)break}else{if(8!=N.nodeType)break;N.data.startsWith("$s")&&(P=B(O=N))}}if(!O){for(;l&&8==l.nodeType&&l.nextSibling;)l=l.nextSibling;O=l}(s=B(O=r.__c.__z||(r.__c.__z=O)))?(r.__e=O,l=s):r.__e=l,l=l&&l.nextSibling}else o&&o.some(g);else r.__e=u.__e;',
    "e.length=v,r.__v=null,r.__e=u.__e;",
  ],
  ["t&&t.then||D(r)", "D(r)"],
  // Components are functions.
  ...all(
    "",
    "C=(s=V.prototype)&&s.render,",
    "j&&j.sub(d),",
    "C&&(d.__s||(d.__s=d.state),V.getDerivedStateFromProps&&(d.__s==d.state&&(d.__s=_({},d.__s)),_(d.__s,V.getDerivedStateFromProps(M,d.__s)))),",
    "M!==k&&C&&!V.getDerivedStateFromProps&&d.componentWillReceiveProps&&d.componentWillReceiveProps(M,L),",
    "C&&(y.push.apply(d.__h,d.__k),d.__k=[]),",
    "d.getChildContext&&(i=_({},i,d.getChildContext())),",
    "C&&u.__c&&d.getSnapshotBeforeUpdate&&(m=d.getSnapshotBeforeUpdate(k,b)),",
    "if(i.componentWillUnmount)try{i.componentWillUnmount()}catch(t){n.__e(t,r)}",
    "for(var i,o,e;t=t.__;)if((i=t.__c)&&!(1&i.__g)){i.__g|=4;try{if((e=(o=i.constructor)&&o.getDerivedStateFromError)&&i.setState(o.getDerivedStateFromError(n)),i.componentDidCatch&&(i.componentDidCatch(n,u||{}),e=1),e&&8&i.__g)return void(i.__g|=2)}catch(t){n=t}}",
  ),
  ["j=(s=V.contextType)&&i[s.__c],L=s?j?j.props.value:s.__:i", "L=i"],
  ["C?r.__c=d=new V(M,L):(r.__c=d=new x(M,L),d.constructor=V,d.render=K)", "r.__c=d=new x(M,L),d.constructor=V,d.render=K"],
  [
    "d.componentWillUpdate&&d.componentWillUpdate(M,d.__s,L),C&&d.componentDidUpdate&&d.__h.push(function(){d.componentDidUpdate(k,b,m)})}else C&&!V.getDerivedStateFromProps&&d.componentWillMount&&d.componentWillMount(),C&&d.componentDidMount&&d.__h.push(d.componentDidMount);",
    "}",
  ],
  ["q=C?25:0", "q=0"],
  // Nothing is drawn elsewhere than where it stands.
  ...all("", "||n.props.__P", "&&!n.props.__P", "if(n.props.__P)return t;", "&&!t.props.__P", "M.__P&&(r.__e=null,l=s),"),
  ["M.__P&&(s=l,f=(t=M.__P).namespaceURI,c=o=null,u.props&&u.props.__P!=t&&(u.__k.some(function(n){n&&J(n,n)}),u.__k=null),l=u.__k?S(u,0):null),", ""],
  // Neither markup made of text, nor formulas.
  ...all("", '"dangerouslySetInnerHTML"==s?y=k:', '"dangerouslySetInnerHTML"==s?h=k:', '"math"==C?f="http://www.w3.org/1998/Math/MathML":'),
  ['h?(l||y&&(h.__html==y.__html||h.__html==t.innerHTML)||(t.innerHTML=h.__html),r.__k=[]):(y&&(t.textContent=""),("foreignObject"==C||"http://www.w3.org/1998/Math/MathML"==f&&v.test(C))&&(f="http://www.w3.org/1999/xhtml"),', "("],
];

/** From here to there, there left out. */
const cut = (code: string, from: string, to: string): string => {
  const [first, last] = [code.indexOf(from), code.indexOf(to, code.indexOf(from))];
  if (first < 0 || last < 0) throw new Error("@preact/signals has changed: look at preact-trim.ts anew");
  return code.slice(0, first) + code.slice(last);
};

const SIGNALS: [from: string, to: string][] = [
  ["function w({data:t}){", 'b("__b",'],
  ['if("string"==typeof i.type){let t,n=i.props;', 't(i)});b("__r",'],
  ['let n;if("string"==typeof i.type&&(n=i.__e)){', "t(i)});function k("],
  ["function k(", 'b("unmount",'],
  ['if("string"==typeof i.type){let t=i.__e;', "{let t=i.__c;"],
];

export const trimPreact: Plugin[] = [
  trimming("preact/dist/preact.mjs", PREACT),
  trimming("@preact/signals/dist/signals.mjs", [['"undefined"!=typeof window&&!!window.__PREACT_SIGNALS_DEVTOOLS__', "false"]], (code) =>
    SIGNALS.reduce((left, [from, to]) => cut(left, from, to), code),
  ),
];
